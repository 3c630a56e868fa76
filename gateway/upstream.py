"""The connections to one virtual API: few for ordinary requests together, one for each upgraded stream."""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Final

from gateway.dialling import Dialler, RoadFinder
from gateway.exchange import Exchange, Headers
from gateway.http2 import Http2Connection
from gateway.inside import NAMES_ONLY, ROLES_DOUBTED_SECONDS, ROLES_SECONDS, Roles, revision_told, until_ready
from gateway.unreachable import Unreachable
from provisioning.drivers.streams.byte_stream import ByteStream

AUTHORITY: Final = "localhost:8443"
PING_SECONDS: Final = 5.0
UNANSWERED_SECONDS: Final = 12.0
"""A connection of which nothing was heard for so long after a ping is dead."""
IDLE_SECONDS: Final = 300.0
_TRIES: Final = 5


class Upstream:
    """Of one placement and one generation of its host's credential."""

    def __init__(self, find_road: RoadFinder, *, endpoint: str, name: str, host: str = "") -> None:
        self._dialler = Dialler(find_road, endpoint=endpoint, name=name, host=host)
        self._name = name
        self._roles = Roles(name)
        self._connections: list[Http2Connection] = []
        self._detours: set[Http2Connection] = set()
        self._alive: set[Http2Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._dialling: asyncio.Task[Http2Connection] | None = None
        self._returning = False
        self.used = time.monotonic()
        self.closed = False

    # --- for requests ---------------------------------------------------------------------------------------------

    async def request(self, method: bytes, path: bytes, headers: Headers, *, has_body: bool) -> Exchange:
        """Sends a request's head over a shared connection. Unreachable where there is none to be had."""
        self.used = time.monotonic()
        for _ in range(_TRIES):  # a new one may be full, or gone, by the time its turn comes
            connection = next((each for each in self._connections if each.has_room), None) or await self._another()
            if connection.has_room:
                return connection.request(method, path, headers, has_body=has_body)
        raise Unreachable(f"The API server of {self._name} ends its connections at once.", reason="unreachable")

    async def stream(self) -> ByteStream:
        """A connection of its own that speaks HTTP/1.1, for one upgraded stream. Unreachable as above."""
        self.used = time.monotonic()
        return (await self._dialler.dial("http/1.1")).stream

    async def revision(self, path: str) -> int | None:
        """The newest version that the API has given out of this collection; None where it does not tell."""
        headers = ((b"accept", NAMES_ONLY),)
        exchange = await self.request(b"GET", f"{path}?limit=1".encode(), headers, has_body=False)
        return await revision_told(exchange)

    def doubt_roles(self) -> None:
        """Somebody was told that they may not: perhaps a tenant has taken away what Marina's levels are bound to."""
        self._look_after_roles(ROLES_DOUBTED_SECONDS)

    # --- connections ----------------------------------------------------------------------------------------------

    async def _another(self) -> Http2Connection:
        """One more connection; all who need one at the same time get the same."""
        if self._dialling is None:
            self._dialling = asyncio.create_task(self._dial_http2())
            self._dialling.add_done_callback(self._dialled)
        return await asyncio.shield(self._dialling)

    def _dialled(self, task: asyncio.Task[Http2Connection]) -> None:
        self._dialling = None
        if not task.cancelled():
            task.exception()  # whoever waits for it hears of it; perhaps nobody does any more

    async def _dial_http2(self) -> Http2Connection:
        dialled = await self._dialler.dial("h2")
        connection = Http2Connection(dialled.stream, authority=AUTHORITY)
        await connection.start()
        self._alive.add(connection)
        self._begin(self._run(connection))
        try:
            await until_ready(connection)
            if self._roles.due():
                await self._roles.keep(connection)
        except (OSError, TimeoutError) as error:
            connection.close(ConnectionAbortedError("It was not ready."))
            raise self._dialler.unreachable(error) from error
        self._connections.append(connection)
        if dialled.detour:
            self._detours.add(connection)
        return connection

    async def _run(self, connection: Http2Connection) -> None:
        try:
            await connection.run()
        finally:
            self._alive.discard(connection)
            self._detours.discard(connection)
            self._connections = [each for each in self._connections if each is not connection]

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- its life -------------------------------------------------------------------------------------------------

    def tend(self) -> None:
        """Now and then: asks silent connections whether they live, ends dead and unneeded ones."""
        now = time.monotonic()
        for connection in list(self._connections):
            silent = connection.silent_for()
            if connection.unanswered_for() > UNANSWERED_SECONDS:
                connection.close(ConnectionResetError(f"Nothing was heard of {self._name} for {int(silent)} s."))
            elif silent > PING_SECONDS:
                connection.ping()
            if not connection.open_exchanges and (self.closed or now - self.used > IDLE_SECONDS):
                connection.retire()
        self._look_after_roles(ROLES_SECONDS)
        if self._detours and not self._returning and self._dialler.endpoint_due:
            self._returning = True
            self._begin(self._return())

    def _look_after_roles(self, seconds: float) -> None:
        connection = next((each for each in self._connections if each.has_room), None)
        if connection is not None and self._roles.due(seconds):
            self._begin(self._roles.keep(connection))

    async def _return(self) -> None:
        """To the published address, when it answers again; what is under way on the detour may end there."""
        try:
            if await self._dialler.endpoint_answers():
                for connection in list(self._detours):
                    connection.retire()
        finally:
            self._returning = False

    @property
    def idle(self) -> bool:
        """Whether it holds nothing that would be missed."""
        return not self._connections and time.monotonic() - self.used > IDLE_SECONDS

    @property
    def dialling(self) -> bool:
        """Whether a connection is on its way, which somebody has to end as well."""
        return self._dialling is not None

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    def retire(self) -> None:
        """It is old: what is under way may end, nothing new begins."""
        self.closed = True
        for connection in list(self._connections):
            connection.retire()

    async def close(self) -> None:
        self.closed = True
        for connection in list(self._alive):
            connection.close(ConnectionAbortedError("The gateway stops."))
        for task in list(self._tasks):
            with suppress(asyncio.CancelledError):
                await task
