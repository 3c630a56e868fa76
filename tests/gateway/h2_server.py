"""A small HTTP/2 server by the h2 library, which does on its connection exactly what a test tells it to."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, PingAckReceived, RequestReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame

from gateway.http2 import Http2Connection
from provisioning.drivers.streams.byte_stream import ByteStream
from tests.gateway.pipes import pipe


@dataclass
class Asked:
    """One request as it arrived."""

    headers: dict[bytes, bytes]
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: int | None = None


class H2Server:
    """Takes what arrives; answers only what it is told to. `takes`: gives back windows as bodies arrive."""

    def __init__(
        self,
        stream: ByteStream,
        *,
        streams: int | None = None,
        window: int | None = None,
        takes: bool = True,
        when_asked: "Callable[[H2Server, int, Asked], None] | None" = None,
    ) -> None:
        self.stream = stream
        self.when_asked = when_asked
        self.takes = takes
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self.asked: dict[int, Asked] = {}
        self.answered_pings = True
        settings: dict[SettingCodes | int, int] = {}
        if streams is not None:
            settings[SettingCodes.MAX_CONCURRENT_STREAMS] = streams
        if window is not None:
            settings[SettingCodes.INITIAL_WINDOW_SIZE] = window
        self.h2.initiate_connection()
        if settings:
            self.h2.update_settings(settings)
        self.send()

    def send(self) -> None:
        if data := self.h2.data_to_send():
            self.stream.write(data)

    async def run(self) -> None:
        while data := await self.stream.read():
            for event in self.h2.receive_data(data):
                self._on(event)
            if self.answered_pings:
                self.send()

    def _on(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            self.asked[event.stream_id] = Asked({bytes(name): bytes(value) for name, value in event.headers})
        elif isinstance(event, DataReceived):
            self.asked[event.stream_id].body += event.data
            if self.takes and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            self.asked[event.stream_id].ended = True
            if self.when_asked is not None:
                self.when_asked(self, event.stream_id, self.asked[event.stream_id])
        elif isinstance(event, StreamReset):
            self.asked[event.stream_id].reset = int(event.error_code)
        elif isinstance(event, PingAckReceived):
            pass

    def answer(self, stream_id: int, status: int = 200, *parts: bytes, end: bool = True) -> None:
        self.h2.send_headers(stream_id, [(b":status", str(status).encode())], end_stream=end and not parts)
        for number, part in enumerate(parts, start=1):
            self.h2.send_data(stream_id, part, end_stream=end and number == len(parts))
        self.send()

    def goes_away(self, last_stream_id: int, error: int = 0) -> None:
        """GOAWAY, as an API server sends that is told to end: it goes on with what it has begun."""
        frame = GoAwayFrame(0, last_stream_id=last_stream_id, error_code=error)
        self.stream.write(frame.serialize())

    async def until(self, condition: Callable[[], object]) -> None:
        """Returns when it holds."""
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0)


Scene = Callable[[Http2Connection, H2Server], Awaitable[None]]


def scene(play: Scene, *, limit: int = 64 * 1024, **how: object) -> None:
    """A connection of ours to such a server, on which `play` runs."""

    async def all_of_it() -> None:
        ours, theirs = pipe(limit)
        server = H2Server(theirs, **how)  # type: ignore[arg-type]
        connection = Http2Connection(ours, authority="localhost:8443")
        await connection.start()
        running = [asyncio.create_task(connection.run()), asyncio.create_task(server.run())]
        try:
            async with asyncio.timeout(20):
                await play(connection, server)
        finally:
            connection.close(ConnectionAbortedError("The test is over."))
            theirs.close()
            await asyncio.gather(*running, return_exceptions=True)

    asyncio.run(all_of_it())
