"""/livez and /readyz of the gateway itself, for probes and load balancers. They tell nothing of any cluster.

Probes come by any name, such as an address; only by a cluster's own host name is the cluster's API server meant.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from gateway.answers import SAFE, Answer
from gateway.database import DatabaseAway
from gateway.heads import Head
from gateway.names import Names

READY_SECONDS: Final = 2.0


class Readiness:
    """Why nobody new can be let in now: "" where they can. Who is told to stop does not become ready again.

    `look` asks the database, and raises DatabaseAway where it does not answer.
    """

    def __init__(self, look: Callable[[], Awaitable[object]]) -> None:
        self._look = look
        self._database = "starting"
        self._stopping = False

    async def watch(self) -> None:
        """Looks every READY_SECONDS, until it is cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(READY_SECONDS)

    async def look(self) -> None:
        """Once."""
        try:
            await self._look()
            self._database = ""
        except DatabaseAway:
            self._database = "the database does not answer"

    def stop(self) -> None:
        self._stopping = True

    def __call__(self) -> str:
        return "stopping" if self._stopping else self._database


class Health:
    """`ready` says "" while the gateway can let new people in, else why it cannot."""

    def __init__(self, ready: Callable[[], str], names: Names) -> None:
        self._ready = ready
        self._names = names

    def answer(self, head: Head) -> Answer | None:
        """The answer to a probe; None for every other request."""
        if head.path not in (b"/livez", b"/readyz") or self._names.cluster_named(head.host) is not None:
            return None
        why = self._ready() if head.path == b"/readyz" else ""
        return _text(503 if why else 200, why or "ok")


def _text(status: int, text: str) -> Answer:
    body = text.encode()
    headers = ((b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode()), *SAFE)
    return Answer(status, headers, body)
