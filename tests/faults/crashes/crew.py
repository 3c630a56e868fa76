"""Workers as processes, each forked within milliseconds from one that has everything loaded."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.db import connections

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Work:
    """One process at work."""

    pid: int
    connection: socket.socket

    def ended(self) -> int:
        """Waits for its end: 0 where the operation has ended, -9 where the worker was killed."""
        with self.connection, self.connection.makefile("r") as stream:
            return int(stream.readline() or 1)


@dataclass(frozen=True)
class Crew:
    """Starts workers. `log` holds what all of them wrote."""

    path: Path
    log: Path

    def work(self, operation_id: UUID, *, seconds: float, environment: Mapping[str, str] | None = None) -> Work:
        """A worker that works on this operation until it has ended, or fails after `seconds`."""
        return self._ask(operation=str(operation_id), seconds=seconds, environment=dict(environment or {}))

    def advance_rollouts(self, *, kill_before: int) -> Work:
        """A process that advances all rollouts by a round, killed before its database statement of that number."""
        return self._ask(operation="", environment={}, kill_before=kill_before)

    def _ask(self, **asked: object) -> Work:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self.path))
        connection.sendall(json.dumps(asked).encode() + b"\n")
        return Work(int(_line(connection)), connection)


def _line(connection: socket.socket) -> bytes:
    """Byte by byte, so that nothing of the next line is taken."""
    read = b""
    while not read.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte:
            raise ConnectionError("the crew has ended; its log says why")
        read += byte
    return read


@contextmanager
def crew_started(folder: Path, **settings: str) -> Iterator[Crew]:
    """A crew on the test's own database, with these settings on top of the environment's."""
    path, log = folder / "crew", folder / "crew.log"
    environment = {**os.environ, "DATABASE_URL": _test_database(), **settings}
    environment |= {"PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "controlplane.settings"}
    # the fake helm's python3: a shim of the machine's in its place takes longer than all the rest of a call
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (
        log.open("w") as written,
        subprocess.Popen(
            [sys.executable, "-m", "tests.faults.crashes.crew_main", str(path)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=written,
            text=True,
        ) as process,
    ):
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "ready\n", log.read_text()
        yield Crew(path, log)
        process.stdin.close()


def _test_database() -> str:
    """As this process's Django uses it, which is not what the environment says."""
    of_the_test = connections["default"].settings_dict["NAME"]
    address, _, _name = os.environ["DATABASE_URL"].partition("?")
    return os.environ["DATABASE_URL"].replace(address, f"{address.rpartition('/')[0]}/{of_the_test}")
