"""A host's API server that serves one port-forward a connection, and a proxy before it: on loopback, in this loop."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from clusters.connection import HostConnection
from provisioning.drivers.portforward import PROTOCOL
from provisioning.drivers.route import Route, Timeouts, route_to
from tests.provisioning.drivers.fault_servers import HERE, certificate_pem

PORT = (8443).to_bytes(2, "little")


@dataclass
class Channel:
    """One port-forward, from the server's side."""

    protocol: ServerProtocol
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    request: Request | None = None
    received: bytearray = field(default_factory=bytearray)
    pongs: list[bytes] = field(default_factory=list)
    closed_with: int | None = None
    onto: asyncio.StreamWriter | None = None
    """Where what arrives is passed on to."""

    def send(self, channel: int, data: bytes) -> None:
        self.protocol.send_binary(bytes([channel]) + data)
        self.flush()

    def flush(self) -> None:
        for data in self.protocol.data_to_send():
            if data:
                self.writer.write(data)

    async def run(self, greet: Callable[["Channel"], None], refuse: int) -> None:
        while data := await self.reader.read(65536):
            self.protocol.receive_data(data)
            for event in self.protocol.events_received():
                if isinstance(event, Request):
                    self._open(event, greet, refuse)
                elif isinstance(event, Frame):
                    self._on_frame(event)
            self.flush()
            await self.writer.drain()

    def _open(self, request: Request, greet: Callable[["Channel"], None], refuse: int) -> None:
        self.request = request
        if refuse:
            self.protocol.send_response(
                self.protocol.reject(refuse, '{"kind":"Status","message":"pods \\"p\\" said no"}')
            )
            self.flush()
            self.writer.write_eof() if self.writer.can_write_eof() else self.writer.close()
            return
        self.protocol.send_response(self.protocol.accept(request))
        greet(self)

    def _on_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.BINARY:
            assert frame.data[0] == 0, "the client speaks on the data channel alone"
            self.received += frame.data[1:]
            if self.onto is not None:
                self.onto.write(frame.data[1:])
        elif frame.opcode is Opcode.PONG:
            self.pongs.append(bytes(frame.data))
        elif frame.opcode is Opcode.CLOSE:
            self.closed_with = Close.parse(frame.data).code


def greeted(channel: Channel) -> None:
    """As API servers do: each channel's first frame is the port."""
    channel.send(0, PORT)
    channel.send(1, PORT)


@dataclass
class ForwardServer:
    """`route` leads to it."""

    route: Route
    port: int
    channels: list[Channel] = field(default_factory=list)


@asynccontextmanager
async def forwarding(
    folder: Path, *, greet: Callable[[Channel], None] = greeted, refuse: int = 0, onto: int = 0
) -> AsyncIterator[ForwardServer]:
    """`onto`: the port on this machine that the pod's stands for; 0: what arrives is only kept."""
    certificate, key = certificate_pem(HERE)
    pem = folder / "host.pem"
    pem.write_text(certificate + key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    found: list[Channel] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.append(Channel(ServerProtocol(subprotocols=[Subprotocol(PROTOCOL)]), reader, writer))
        passing = [await _pass_on(found[-1], onto)] if onto else []
        with suppress(OSError):
            await found[-1].run(greet, refuse)
        for each in passing:
            each.cancel()
        writer.close()

    server = await asyncio.start_server(serve, HERE, 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    connection = HostConnection(server=f"https://{HERE}:{port}", ca_pem=certificate, token="the-hosts-token")
    try:
        yield ForwardServer(route_to(connection, target="host east", timeouts=Timeouts(5, 5)), port, found)
    finally:
        for channel in found:
            channel.writer.close()
        server.close()


async def _pass_on(channel: Channel, port: int) -> "asyncio.Task[None]":
    reader, channel.onto = await asyncio.open_connection(HERE, port)

    async def back() -> None:
        while data := await reader.read(65536):
            channel.send(0, data)

    return asyncio.create_task(back())


@dataclass
class Proxy:
    port: int
    asked: list[str] = field(default_factory=list)

    def before(self, route: Route, *, user: str = "") -> Route:
        """The same way, through this proxy."""
        from urllib3.util import parse_url

        return replace(route, proxy=parse_url(f"http://{user + '@' if user else ''}{HERE}:{self.port}"))


@asynccontextmanager
async def proxying(
    *, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n", user: str = ""
) -> AsyncIterator[Proxy]:
    """An HTTP proxy that takes CONNECT, and asks for `user` (NAME:PASSWORD) where it is given."""
    wanted = f"basic {base64.b64encode(user.encode()).decode()}".lower() if user else ""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        proxy.asked.append(head)
        if wanted and wanted not in head.lower():
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        elif answer.startswith(b"HTTP/1.1 200"):
            host, _, port = head.split(" ")[1].rpartition(":")
            theirs = await asyncio.open_connection(host, int(port))
            writer.write(answer)
            await asyncio.gather(_pump(reader, theirs[1]), _pump(theirs[0], writer))
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, HERE, 0)
    proxy = Proxy(server.sockets[0].getsockname()[1])
    try:
        yield proxy
    finally:
        server.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        async with asyncio.timeout(20):
            await work()

    asyncio.run(all_of_it())
