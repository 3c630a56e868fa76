"""One client's connection: requests in, answers out, one after another. What is streamed is never kept whole."""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from typing import Final

import h11

from gateway.answers import Answer
from gateway.heads import LONGEST_HEAD, BadRequest, Head, head_read
from provisioning.drivers.streams.byte_stream import ByteStream

Fields = Iterable[tuple[bytes, bytes]]

_PIPELINED: Final = 64 * 1024
"""Bytes of following requests that are read while one is answered; more stay where they are."""
_MOST_BEFORE_ANSWER: Final = 256 * 1024
"""Bytes of a refused request's body that are read away, so that the answer is not lost with them."""


STALLED_SECONDS: Final = 600.0
"""For who reads nothing of an upgraded stream: somebody may look at a page of `kubectl exec ... | less` for so long."""
_MOST_AFTER_ANSWER: Final = 64 * 1024 * 1024
_LINGER_SECONDS: Final = 2.0


class ClientGone(ConnectionError):
    """The client has ended the connection, or does not take what is sent."""


class Client:
    """Reads with a deadline, writes with a deadline, and knows where one request ends and the next begins."""

    def __init__(
        self,
        stream: ByteStream,
        *,
        head_seconds: float,
        idle_seconds: float,
        write_seconds: float,
        stalled_seconds: float = STALLED_SECONDS,
    ) -> None:
        self._stream = stream
        self.stalled_seconds = stalled_seconds
        """How long nothing may pass on it once it is switched."""
        self._head_seconds = head_seconds
        self._idle_seconds = idle_seconds
        self._write_seconds = write_seconds
        self._buffer = bytearray()
        self._reading: asyncio.Task[bytes] | None = None
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=LONGEST_HEAD)
        self._head_only = False
        self.idle_since: float | None = None
        """Since when it is between requests; None while it has one."""
        self._last = False
        self.switched = False
        """Whether the connection speaks another protocol now."""
        self.body_begun = False
        """Whether something of the request's body was handed out: it cannot be sent a second time then."""

    # --- the request ------------------------------------------------------------------------------------------------

    async def next_head(self) -> Head | None:
        """The next request's head, or None where the client is done. BadRequest, and TimeoutError for a slow one."""
        if not self._buffer and not await self._next_begins():
            return None
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=LONGEST_HEAD)
        async with asyncio.timeout(self._head_seconds):
            while (end := self._buffer.find(b"\r\n\r\n")) < 0:
                if len(self._buffer) > LONGEST_HEAD:
                    raise BadRequest("The request's head is too long.", status=431)
                if not await self._more(None):
                    return None
        if end + 4 > LONGEST_HEAD:
            raise BadRequest("The request's head is too long.", status=431)
        raw = bytes(self._buffer[: end + 4])
        del self._buffer[: end + 4]
        head = head_read(raw, self._http)
        self.body_begun = False
        self._head_only = head.method == b"HEAD"
        return head

    async def _next_begins(self) -> bool:
        self.idle_since = time.monotonic()
        try:
            return await self._more(self._idle_seconds)
        finally:
            self.idle_since = None

    def leave(self, quiet: float) -> None:
        """The next answer is the last one, and says so; who asks nothing for `quiet` seconds gets none."""
        self._last = True
        self._idle_seconds = min(self._idle_seconds, quiet)
        asyncio.get_running_loop().call_later(quiet, self.leave_if_idle)

    def leave_if_idle(self) -> None:
        """Ends the connection where nothing is under way on it."""
        if self.idle_since is not None:
            self.idle_since = None
            self._stream.close()

    async def _more(self, seconds: float | None) -> bool:
        """At least one byte more in the buffer; False at the client's end, or where it says nothing for so long."""
        task = self._reading or asyncio.create_task(self._stream.read())
        self._reading = task
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            return False
        self._reading = None
        data = task.result()
        self._buffer += data
        return bool(data)

    async def body(self) -> bytes:
        """The next part of the request's body; b"" at its end. ClientGone where it breaks off."""
        self.body_begun = True
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise ClientGone(f"The request's body cannot be read: {error}") from None
            if isinstance(event, h11.Data):
                return bytes(event.data)
            if isinstance(event, h11.EndOfMessage):
                self._buffer[:0] = self._http.trailing_data[0]
                return b""
            if event is h11.NEED_DATA:
                await self._continue()
                if not self._buffer and not await self._more(self._idle_seconds):
                    raise ClientGone("The client ended the connection in the middle of its request.")
                self._http.receive_data(bytes(self._buffer))
                self._buffer.clear()
            else:
                raise ClientGone("The client ended the connection in the middle of its request.")

    async def _continue(self) -> None:
        if self._http.they_are_waiting_for_100_continue:
            await self._write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")

    async def gone(self) -> None:
        """Returns when the client ends the connection; while a request without a body is answered."""
        while len(self._buffer) < _PIPELINED:
            if not await self._more(None):
                return
        await asyncio.get_running_loop().create_future()  # what it sends more stays unread until its turn

    # --- the answer -------------------------------------------------------------------------------------------------

    async def answer_head(self, status: int, headers: Fields) -> None:
        data = self._http.send(h11.Response(status_code=status, headers=self._with_goodbye(headers)))
        await self._write(data or b"")

    def _with_goodbye(self, headers: Fields) -> list[tuple[bytes, bytes]]:
        kept = list(headers)
        if self._last and not any(name == b"connection" for name, _ in kept):
            kept.append((b"connection", b"close"))
        return kept

    async def answer_data(self, data: bytes) -> None:
        for part in self._http.send_with_data_passthrough(h11.Data(data=data)) or ():
            await self._write(part)

    async def answer_end(self) -> None:
        await self._write(self._http.send(h11.EndOfMessage()) or b"")

    async def answer(self, answer: Answer) -> None:
        """A whole answer."""
        parts = [
            self._http.send(h11.Response(status_code=answer.status, headers=self._with_goodbye(answer.headers))),
            b"" if self._head_only else self._http.send(h11.Data(data=answer.body)),
            self._http.send(h11.EndOfMessage()),
        ]
        await self._write(b"".join(part for part in parts if part))

    async def answer_unread(self, answer: Answer, head: bytes) -> None:
        """To what could not be read as a request. The connection ends with it."""
        lines = [head, *(name + b": " + value for name, value in answer.headers), b"connection: close", b"", b""]
        await self._write(b"\r\n".join(lines) + answer.body)

    @property
    def answer_begun(self) -> bool:
        return self._http.our_state is not h11.SEND_RESPONSE and self._http.our_state is not h11.IDLE

    async def ready_for_next(self) -> bool:
        """Whether the connection can take another request after this one; reads away what is left of its body."""
        if self._http.our_state is not h11.DONE:
            return False
        left = _MOST_BEFORE_ANSWER
        while self._http.their_state is h11.SEND_BODY:
            if self._http.they_are_waiting_for_100_continue:
                return False
            left -= len(await self.body())
            if left < 0:
                return False
        return self._http.their_state is h11.DONE

    async def linger(self) -> None:
        """Reads away for a while what the client still sends: else the answer that it did not wait for is lost."""
        left = _MOST_AFTER_ANSWER
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while left > 0 and self._http.their_state is h11.SEND_BODY and await self._more(None):
                    left -= len(self._buffer)
                    self._buffer.clear()

    async def switch(self, headers: Fields) -> ByteStream:
        """101, and from here on the raw bytes."""
        answer = h11.InformationalResponse(status_code=101, headers=list(headers))
        await self._write(self._http.send(answer) or b"")
        rest = bytes(self._http.trailing_data[0]) + bytes(self._buffer)
        self._buffer.clear()
        self.switched = True
        return _Switched(self._stream, rest, self._reading, stalled_seconds=self.stalled_seconds)

    async def _write(self, data: bytes | bytearray | memoryview) -> None:
        if not data:
            return
        try:
            self._stream.write(data)
            async with asyncio.timeout(self._write_seconds):
                await self._stream.drain()
        except (OSError, TimeoutError) as error:
            raise ClientGone(str(error) or "The client takes nothing.") from None

    def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
        self._stream.close()


class _Switched:
    """The client's stream after the switch: first what was read already. Who takes nothing for long is gone."""

    def __init__(
        self, stream: ByteStream, early: bytes, reading: asyncio.Task[bytes] | None, *, stalled_seconds: float
    ) -> None:
        self._stream = stream
        self._stalled_seconds = stalled_seconds
        self._early = early
        self._reading = reading

    async def read(self) -> bytes:
        if self._early:
            early, self._early = self._early, b""
            return early
        if self._reading is not None:
            reading, self._reading = self._reading, None
            return await reading
        return await self._stream.read()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._stream.write(data)

    async def drain(self) -> None:
        try:
            async with asyncio.timeout(self._stalled_seconds):
                await self._stream.drain()
        except TimeoutError:
            raise ClientGone("The client takes nothing.") from None

    def close(self) -> None:
        self._stream.close()
