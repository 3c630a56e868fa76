"""One request and its answer on a shared connection, as who asks sees them."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol

Headers = Sequence[tuple[bytes, bytes]]


class NotProcessed(ConnectionError):
    """The server said of this request that it did nothing with it: it may be sent again as it is."""


class Carrier(Protocol):
    """The connection, as far as an exchange uses it (gateway/http2.py)."""

    async def send(self, exchange: "Exchange", data: bytes) -> None: ...

    def end(self, stream_id: int) -> None: ...

    async def drain(self) -> None: ...

    def taken(self, stream_id: int, size: int) -> None: ...

    def leave(self, stream_id: int) -> None: ...


class Exchange:
    """One request and its answer. Errors are ConnectionError, and NotProcessed among them."""

    def __init__(self, connection: Carrier, stream_id: int) -> None:
        self._connection = connection
        self.stream_id = stream_id
        self._head: asyncio.Future[tuple[int, Headers]] = asyncio.get_running_loop().create_future()
        self._parts: deque[bytes] = deque()
        self._something = asyncio.Event()
        self._ended = False
        self._failed: Exception | None = None
        self.window_opened = asyncio.Event()
        self.takes_no_more = False

    async def head(self) -> tuple[int, Headers]:
        """Status and header fields of the answer, without pseudo fields."""
        return await asyncio.shield(self._head)

    async def read(self) -> bytes:
        """The next part of the answer's body; b"" at its end."""
        while not self._parts:
            if self._failed is not None:
                raise self._failed
            if self._ended:
                return b""
            self._something.clear()
            await self._something.wait()
        part = b"".join(self._parts)
        self._parts.clear()
        if not self._ended:
            self._connection.taken(self.stream_id, len(part))
        return part

    async def send(self, data: bytes) -> None:
        """A part of the request's body, as fast as the server takes it."""
        await self._connection.send(self, data)

    async def end(self) -> None:
        """The request's body is over."""
        self._connection.end(self.stream_id)
        await self._connection.drain()

    def cancel(self) -> None:
        """Nobody waits for the rest. Always called in the end: what is over already does not mind."""
        self._connection.leave(self.stream_id)

    @property
    def failed(self) -> Exception | None:
        """Why it cannot go on, or None."""
        return self._failed

    def on_head(self, status: int, headers: Headers) -> None:
        if not self._head.done():
            self._head.set_result((status, headers))

    def on_data(self, data: bytes) -> None:
        self._parts.append(data)
        self._something.set()

    def on_end(self) -> None:
        self._ended = True
        self.on_head(502, ())  # one without an answer's head
        self._wake()

    def on_reset(self, error: Exception) -> None:
        """The server wants nothing more of it; where the whole answer came before, that stands."""
        self.takes_no_more = True
        self.window_opened.set()
        self.on_failure(error)

    def on_failure(self, error: Exception) -> None:
        if self._ended or self._failed is not None:
            return
        self._failed = error
        if not self._head.done():
            self._head.set_exception(error)
            self._head.exception()  # nobody may be waiting for it any more
        self._wake()

    def _wake(self) -> None:
        self._something.set()
        self.window_opened.set()
