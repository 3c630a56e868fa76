"""A PostgreSQL and a Valkey for tests that end them: of their own, so that nobody else is hurt."""

import os
import signal
from pathlib import Path
from typing import Any

import redis

from dev.backing import backing_of
from dev.processes import Processes
from tests.faults.waiting import until
from tests.migrated import migrated_data

QUEUE = "operations"


class Servers:
    """Both run from the start. What is committed survives a kill of either's process, as on a real machine."""

    def __init__(self, folder: Path, processes: Processes) -> None:
        self._processes = processes
        backing = backing_of(folder=folder, processes=processes, database="marina", configured={}, data=migrated_data)
        assert backing.postgres
        assert backing.valkey
        self.postgres, self.valkey = backing.postgres, backing.valkey
        backing.start()

    def postgres_stop(self) -> None:
        """At once, as in a crash: every connection is cut, and the next start recovers."""
        self._end("postgres", signal.SIGQUIT)

    def postgres_start(self) -> None:
        self.postgres.start()

    def valkey_stop(self) -> None:
        """Killed: every message is lost."""
        self._end("valkey", signal.SIGKILL)

    def valkey_start(self) -> None:
        self.valkey.start()

    def whole(self) -> None:
        """Both run, whatever a test that failed left."""
        for name, start in (("postgres", self.postgres_start), ("valkey", self.valkey_start)):
            if name not in self._processes.pids:
                start()

    def _end(self, name: str, how: signal.Signals) -> None:
        pid = self._processes.pids[name]
        os.kill(pid, how)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        self._processes.stop(name)

    def broker(self, database: int) -> "Broker":
        return Broker(self.valkey.url(database))


class Broker:
    """The messages of one Marina, to be lost, doubled and held up."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._redis = redis.Redis.from_url(url)

    def messages(self, queue: str = QUEUE) -> list[bytes]:
        """What waits, the next one last."""
        found: Any = self._redis.lrange(queue, 0, -1)
        return list(found)

    def take(self, queue: str = QUEUE) -> list[bytes]:
        """All of them, which nobody else gets now."""
        with self._redis.pipeline() as both:
            both.lrange(queue, 0, -1)
            both.delete(queue)
            taken: list[bytes] = both.execute()[0]
        return taken

    def put(self, messages: list[bytes], queue: str = QUEUE) -> None:
        """Back into the queue, for workers to find next."""
        if messages:
            self._redis.rpush(queue, *messages)

    def flush(self) -> None:
        """FLUSHALL: messages, heartbeats and claims of everybody on this server."""
        self._redis.flushall()

    def drained(self, *, seconds: float = 30) -> None:
        """Returns when every message was taken by a worker."""
        until(lambda: not self.messages(), "messages stay in the queue", seconds=seconds)
