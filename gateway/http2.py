"""One HTTP/2 connection to an API server, shared by many requests. The protocol is the h2 library's."""

import asyncio
import time
from contextlib import suppress
from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    InformationalResponseReceived,
    PingAckReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import H2Error
from h2.settings import SettingCodes
from hyperframe.frame import Frame, GoAwayFrame

from gateway.exchange import Exchange, Headers, NotProcessed
from provisioning.drivers.streams.byte_stream import ByteStream

STREAM_WINDOW: Final = 512 * 1024
"""Bytes of one answer that wait here for a slow client, at most."""
_CONNECTION_WINDOW: Final = 2**31 - 1
"""As large as it gets: a client that takes nothing holds up its own stream, never its neighbours'."""
_TOP_UP_BELOW: Final = 2**30
_LARGEST_FRAME: Final = 256 * 1024
_STREAMS_UNTIL_TOLD: Final = 100
"""What Kubernetes' API server allows on one connection; it says so itself, soon after the beginning."""

_LAST_STREAM: Final = 2**31 - 10_000
"""A connection has so many numbers for requests; before they are used up another one takes its place."""


class _GracefulH2(H2Connection):
    """h2 takes every GOAWAY for the end. One without an error only says: nothing new; what is under way may end."""

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        if frame.error_code != ErrorCodes.NO_ERROR:
            return super()._receive_goaway_frame(frame)
        told = ConnectionTerminated()
        told.error_code = ErrorCodes.NO_ERROR
        told.last_stream_id = frame.last_stream_id
        told.additional_data = frame.additional_data or None
        return [], [told]


class Http2Connection:
    """Owns the stream below. `run` moves what arrives, until the end; the other methods are for exchanges."""

    def __init__(self, below: ByteStream, *, authority: str) -> None:
        self._below = below
        self._authority = authority.encode()
        # what we send was checked already, and what an API server sends its own clients accept
        self._h2 = _GracefulH2(
            H2Configuration(
                client_side=True,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._exchanges: dict[int, Exchange] = {}
        self._closed: Exception | None = None
        self._draining = False
        self._heard = time.monotonic()
        self._pinged: float | None = None
        self._free = asyncio.Event()

    async def start(self) -> None:
        """Says hello."""
        self._h2.initiate_connection()
        self._h2.update_settings(
            {
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
                SettingCodes.MAX_FRAME_SIZE: _LARGEST_FRAME,
            }
        )
        self._h2.increment_flow_control_window(_CONNECTION_WINDOW - self._h2.inbound_flow_control_window)
        self._flush()
        await self._below.drain()

    # --- requests -------------------------------------------------------------------------------------------------

    @property
    def open_exchanges(self) -> int:
        return len(self._exchanges)

    @property
    def usable(self) -> bool:
        """Whether it takes new requests at all."""
        return self._closed is None and not self._draining

    @property
    def has_room(self) -> bool:
        """Whether it takes one more request now."""
        return self.usable and len(self._exchanges) < self._limit()

    def _limit(self) -> int:
        told = self._h2.remote_settings.max_concurrent_streams
        return min(int(told), 1000) if told < 2**32 else _STREAMS_UNTIL_TOLD

    def request(self, method: bytes, path: bytes, headers: Headers, *, has_body: bool) -> Exchange:
        """Sends a request's head. The caller has asked `has_room`."""
        if self._closed is not None:
            raise self._closed
        stream_id = self._h2.get_next_available_stream_id()
        if stream_id > _LAST_STREAM:
            self._draining = True
        exchange = self._exchanges[stream_id] = Exchange(self, stream_id)
        pseudo = [
            (b":method", method),
            (b":scheme", b"https"),
            (b":authority", self._authority),
            (b":path", path),
        ]
        try:
            self._h2.send_headers(stream_id, [*pseudo, *headers], end_stream=not has_body)
        except H2Error as error:
            del self._exchanges[stream_id]
            raise ConnectionResetError(str(error)) from None
        self._flush()
        return exchange

    async def send(self, exchange: Exchange, data: bytes) -> None:
        view = memoryview(data)
        while view:
            room = await self._room(exchange)
            try:
                self._h2.send_data(exchange.stream_id, bytes(view[:room]))
            except H2Error as error:
                raise ConnectionResetError(str(error)) from None
            self._flush()
            view = view[room:]
            await self._below.drain()

    async def _room(self, exchange: Exchange) -> int:
        while True:
            if exchange.failed is not None:
                raise exchange.failed
            if exchange.takes_no_more:
                raise ConnectionResetError("The API server takes no more of this request.")
            try:
                room = self._h2.local_flow_control_window(exchange.stream_id)
            except H2Error:  # the stream or the connection is over
                raise ConnectionResetError("The API server takes no more of this request.") from None
            if room > 0:
                return min(room, self._h2.max_outbound_frame_size)
            exchange.window_opened.clear()
            await exchange.window_opened.wait()

    def end(self, stream_id: int) -> None:
        with suppress(H2Error):  # the answer may have come before the body was over
            self._h2.end_stream(stream_id)
        self._flush()

    async def drain(self) -> None:
        await self._below.drain()

    def taken(self, stream_id: int, size: int) -> None:
        """So much of an answer has left memory: the server may send as much again."""
        with suppress(H2Error):
            self._h2.increment_flow_control_window(size, stream_id)
        self._flush()

    def leave(self, stream_id: int) -> None:
        exchange = self._exchanges.pop(stream_id, None)
        if exchange is None:
            return
        self._free.set()
        if self._closed is None:
            with suppress(H2Error):
                self._h2.reset_stream(stream_id, ErrorCodes.CANCEL)
            self._flush()

    # --- what arrives ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until the connection ends; then every exchange has failed or is over, and the stream below is closed."""
        error: Exception = ConnectionResetError("The API server ended the connection.")
        try:
            while data := await self._below.read():
                self._heard, self._pinged = time.monotonic(), None
                for event in self._h2.receive_data(data):
                    self._on_event(event)
                self._top_up()
                self._flush()
                if self._draining and not self._exchanges:
                    break
        except (OSError, H2Error) as reason:
            error = reason if isinstance(reason, ConnectionError) else ConnectionResetError(str(reason))
        finally:
            self.close(error)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ConnectionTerminated):
            self._on_goaway(event)
        elif (isinstance(event, WindowUpdated) and not event.stream_id) or isinstance(event, RemoteSettingsChanged):
            for each in self._exchanges.values():
                each.window_opened.set()
        elif isinstance(event, PingAckReceived):
            pass  # that something was heard is noted already
        elif (exchange := self._exchanges.get(getattr(event, "stream_id", 0) or 0)) is not None:
            self._on_stream_event(exchange, event)

    def _on_stream_event(self, exchange: Exchange, event: Event) -> None:
        if isinstance(event, ResponseReceived):
            fields = [(bytes(name), bytes(value)) for name, value in event.headers or ()]
            status = next(value for name, value in fields if name == b":status")
            exchange.on_head(int(status), [field for field in fields if not field[0].startswith(b":")])
        elif isinstance(event, DataReceived):
            exchange.on_data(event.data or b"")
            padding = (event.flow_controlled_length or 0) - len(event.data or b"")
            if padding > 0:
                self.taken(exchange.stream_id, padding)
        elif isinstance(event, StreamEnded):
            exchange.on_end()
        elif isinstance(event, StreamReset):
            refused = event.error_code == ErrorCodes.REFUSED_STREAM
            kind = NotProcessed if refused else ConnectionResetError
            exchange.on_reset(kind(f"The API server broke the request off ({event.error_code})."))
        elif isinstance(event, WindowUpdated):
            exchange.window_opened.set()
        elif isinstance(event, InformationalResponseReceived):
            pass  # 100-continue is answered on our own side

    def _on_goaway(self, event: ConnectionTerminated) -> None:
        """It takes no new requests; of those above the last one it names it did nothing."""
        self._draining = True
        for stream_id, exchange in list(self._exchanges.items()):
            if stream_id > (event.last_stream_id or 0):
                exchange.on_failure(NotProcessed("The API server closes this connection."))

    def _top_up(self) -> None:
        if (window := self._h2.inbound_flow_control_window) < _TOP_UP_BELOW:
            self._h2.increment_flow_control_window(_CONNECTION_WINDOW - window)

    def _flush(self) -> None:
        if self._closed is not None:
            return
        try:
            if data := self._h2.data_to_send():
                self._below.write(data)
        except OSError as error:
            self.close(error)

    # --- its life -------------------------------------------------------------------------------------------------

    def ping(self) -> None:
        """Asks whether somebody is there. Any answer counts as one."""
        if self._closed is None:
            self._pinged = self._pinged or time.monotonic()
            self._h2.ping(b"marina\0\0")
            self._flush()

    def silent_for(self) -> float:
        """Seconds since anything was heard of the other side."""
        return time.monotonic() - self._heard

    def unanswered_for(self) -> float:
        """Seconds since a ping that nothing at all came after."""
        return 0.0 if self._pinged is None else time.monotonic() - self._pinged

    def retire(self) -> None:
        """Takes no new requests, and ends with the last one under way."""
        self._draining = True
        if not self._exchanges:
            self.close(ConnectionAbortedError("The connection was not needed any more."))

    def close(self, error: Exception) -> None:
        """Ends it now; what is under way fails with this error."""
        if self._closed is not None:
            return
        self._closed = error
        for exchange in list(self._exchanges.values()):
            exchange.on_failure(error)
        self._free.set()
        self._below.close()
