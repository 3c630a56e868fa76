"""A process in which everything a worker needs is loaded; it forks a worker for each that is asked for.

Forked from here and not from pytest's process, because that has threads. Takes one request a connection: a line of
JSON in; the worker's pid and, when it has ended, its exit code (as Python has it: -9 for SIGKILL) out, a line each.
"""

import gc
import itertools
import json
import os
import random
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import django

EXTRA_SECONDS = 0.005


def main(path: str) -> None:
    listener = _listening(path)
    _load()
    print("ready", flush=True)
    os.dup2(2, 1)  # nobody reads more than that line; what workers write goes to the log
    waiting: dict[int, tuple[int, socket.socket]] = {}
    poll = select.poll()
    for descriptor in (listener.fileno(), sys.stdin.fileno()):
        poll.register(descriptor, select.POLLIN | select.POLLHUP)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == sys.stdin.fileno():  # whoever started us has ended
                return
            if descriptor == listener.fileno():
                connection, _ = listener.accept()
                pid = _fork(connection, listener)
                process = os.pidfd_open(pid)
                waiting[process] = pid, connection
                poll.register(process, select.POLLIN)
            else:
                poll.unregister(descriptor)
                _ended(*waiting.pop(descriptor))
                os.close(descriptor)


def _listening(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    return listener


def _load() -> None:
    """What a worker process has loaded and asked before its first operation."""
    django.setup()
    from django.conf import settings

    import provisioning.worker  # noqa: F401
    from provisioning.drivers.helm import helm_major

    helm_major(settings.HELM_BINARY)
    gc.freeze()


def _fork(connection: socket.socket, listener: socket.socket) -> int:
    with connection.makefile("r") as stream:
        asked = json.loads(stream.readline())
    pid = os.fork()
    if pid:
        connection.sendall(b"%d\n" % pid)
        return pid
    listener.close()
    connection.close()
    code = 1
    try:
        os.environ.update(asked["environment"])
        if asked["operation"]:
            _work(UUID(asked["operation"]), asked["seconds"])
        else:
            _advance_rollouts(asked["kill_before"])
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _ended(pid: int, connection: socket.socket) -> None:
    _, status = os.waitpid(pid, 0)
    with connection:
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _work(operation_id: UUID, seconds: float) -> None:
    """As a worker does: claims the operation whenever it is due, until it has ended. TimeoutError after `seconds`."""
    from django.conf import settings
    from django.utils import timezone

    from clusters.models import Operation
    from provisioning.drivers.clients import Clients
    from provisioning.engine.lease import LeaseKeeper
    from provisioning.engine.runner import Runner
    from provisioning.flows import FLOWS

    keeper = LeaseKeeper(every=settings.HEARTBEAT_SECONDS)
    keeper.start()
    runner = Runner(
        flows=FLOWS,
        clients=Clients(),
        keeper=keeper,
        owner=f"crew:{os.getpid()}:{uuid4().hex[:8]}",
        clock=timezone.now,
        random=random.Random(),
    )
    deadline = time.monotonic() + seconds
    rows = Operation.objects.filter(pk=operation_id)
    while True:
        row = rows.values("finished_at", "run_after", "lease_expires_at").get()
        if row["finished_at"]:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"operation {operation_id} did not end within {seconds} s")
        if (pause := _until_due(row["run_after"], row["lease_expires_at"])) > 0:
            time.sleep(min(pause, 0.2))
        else:
            runner.run(operation_id)


def _advance_rollouts(kill_before: int) -> None:
    """One round, as the schedule asks for it; killed before its statement of that number, if it comes to it."""
    from django.db import connection
    from django.utils import timezone

    from clusters.services.rollout_advancing import rollouts_advance

    statements = itertools.count(1)

    def counted(execute: Callable[..., Any], *statement: Any) -> Any:
        if next(statements) == kill_before:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(*statement)

    with connection.execute_wrapper(counted):
        rollouts_advance(now=timezone.now())


def _until_due(*moments: datetime | None) -> float:
    """Seconds until it can be claimed, a little more than the row says: the database's clock decides."""
    now = datetime.now(UTC)
    return max(((moment - now).total_seconds() + EXTRA_SECONDS for moment in moments if moment), default=0.0)


if __name__ == "__main__":
    main(sys.argv[1])
