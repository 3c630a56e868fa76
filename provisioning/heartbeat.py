"""Workers say every few seconds that they are alive. /readyz reads it; so does the health check of a container:

`python -m provisioning.heartbeat` exits 0 while this machine's own worker is alive, else 1.
"""

import functools
import os
import socket
import sys

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

KEY_PREFIX = "marina:worker:"
ALIVE_SECONDS = 30
"""A worker that has not written for so long counts as gone. Write at least every ALIVE_SECONDS / 3."""
_TIMEOUT_SECONDS = 1.5


def worker_heartbeat_write(name: str = "") -> bool:
    """Notes that the worker `name` (this machine's name unless given) is alive now.

    Returns whether the broker took it, within 3 s at most. It never raises: work goes on without a heartbeat.
    """
    try:
        _broker(settings.CELERY_BROKER_URL).set(KEY_PREFIX + (name or socket.gethostname()), "alive", ex=ALIVE_SECONDS)
    except (redis.RedisError, OSError):
        return False
    return True


def workers_alive() -> list[str]:
    """Names of the workers that wrote lately, sorted. Raises redis.RedisError when the broker does not answer."""
    keys = _broker(settings.CELERY_BROKER_URL).scan_iter(match=KEY_PREFIX + "*", count=1000)
    return sorted(key.decode().removeprefix(KEY_PREFIX) for key in keys)


@functools.cache
def _broker(url: str) -> redis.Redis:
    """One pooled, thread-safe client a process, which gives up at once instead of trying again."""
    return redis.Redis.from_url(
        url, socket_connect_timeout=_TIMEOUT_SECONDS, socket_timeout=_TIMEOUT_SECONDS, retry=Retry(NoBackoff(), 0)
    )


def main() -> int:
    """Exit code 0 while a worker of this machine is alive."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
    try:
        return 0 if socket.gethostname() in workers_alive() else 1
    except (redis.RedisError, OSError) as error:
        print(f"The broker does not answer: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
