"""Workers say every few seconds that they are alive. /readyz reads it; so does the health check of a container:

`python -m provisioning.heartbeat` exits 0 while this machine's own worker is alive, else 1.
"""

import os
import socket
import sys

import redis
from celery import current_app

from provisioning.broker import broker

KEY_PREFIX = "marina:worker:"
"""Then the worker's name, HOSTNAME:PID; the value names the queues it works on."""
ALIVE_SECONDS = 30
"""A worker that has not written for so long counts as gone. Write at least every ALIVE_SECONDS / 3."""


def worker_heartbeat_write(name: str = "") -> bool:
    """Notes that the worker `name` (this process unless given) is alive now.

    Returns whether the broker took it, within 3 s at most. It never raises: work goes on without a heartbeat.
    """
    key = KEY_PREFIX + (name or f"{socket.gethostname()}:{os.getpid()}")
    queues = ",".join(sorted(current_app.amqp.queues.consume_from))
    try:
        broker().set(key, queues, ex=ALIVE_SECONDS)
    except (redis.RedisError, OSError):
        return False
    return True


def workers_alive(queue: str = "") -> list[str]:
    """Names of the workers (of `queue`) that wrote lately, sorted. Raises redis.RedisError where no broker answers."""
    client = broker()
    keys = sorted(client.scan_iter(match=KEY_PREFIX + "*", count=1000))
    values = client.mget(keys) if keys else []
    found = [(key, str(value).split(",")) for key, value in zip(keys, values, strict=True) if value is not None]
    return [str(key).removeprefix(KEY_PREFIX) for key, queues in found if not queue or queue in queues]


def main() -> int:
    """Exit code 0 while a worker of this machine is alive."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
    own = socket.gethostname() + ":"
    try:
        return 0 if any(name.startswith(own) for name in workers_alive()) else 1
    except (redis.RedisError, OSError) as error:
        print(f"The broker does not answer: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
