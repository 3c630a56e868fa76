"""A TCP connection to a pod's port through the host's API server, one WebSocket for each: as a ByteStream.

Its twin for threads is provisioning/drivers/portforward.py; the protocol is the same (v4.channel.k8s.io, facts).
"""

from typing import Final

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
from websockets.frames import Frame, Opcode
from websockets.protocol import Event
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from provisioning.drivers.errors import redact, response_error
from provisioning.drivers.portforward import DATA, ERROR, LARGEST_FRAME, PROTOCOL, forward_path
from provisioning.drivers.route import Route
from provisioning.drivers.streams.byte_stream import ByteStream
from provisioning.drivers.streams.dial import dial
from provisioning.engine.errors import TemporaryError

_LARGEST_RECEIVED: Final = 4 * 1024 * 1024
"""Bytes of one frame. API servers send far smaller ones; the limit bounds what a broken one can make us keep."""


async def forward(route: Route, *, namespace: str, pod: str, port: int) -> "ForwardStream":
    """Exactly one port-forward, for exactly one connection; closing the stream ends it.

    StepError where the API server refuses or has no such pod, OSError where it is not reached.
    """
    below = await dial(route)
    try:
        channel, early = await _opened(below, route, forward_path(namespace, pod, port))
    except BaseException:
        below.close()
        raise
    return ForwardStream(below, channel, f"pod {namespace}/{pod}, port {port}", early)


async def _opened(below: ByteStream, route: Route, path: str) -> tuple[ClientProtocol, list[Event]]:
    """The channel, and what came together with the answer that opened it."""
    url = parse_uri("wss" + route.server.removeprefix("https") + path)
    channel = ClientProtocol(url, subprotocols=[Subprotocol(PROTOCOL)], max_size=_LARGEST_RECEIVED)
    request = channel.connect()
    request.headers.update({"User-Agent": "marina", **route.headers()})
    channel.send_request(request)
    _send(below, channel)
    events: list[Event] = []
    while not events and channel.handshake_exc is None:
        data = await below.read()
        if data:
            channel.receive_data(data)
        else:
            channel.receive_eof()
        events = channel.events_received()
    if channel.handshake_exc is not None:
        raise _refused(channel.handshake_exc, route.target)
    _send(below, channel)  # the answer to a ping that came along
    return channel, events[1:]


def _refused(error: Exception, target: str) -> Exception:
    if isinstance(error, InvalidStatus):
        answer = error.response
        return response_error(answer.status_code, dict(answer.headers.raw_items()), bytes(answer.body), target=target)
    if isinstance(error, InvalidHandshake):
        return TemporaryError(f"{target} answered no port-forward: {redact(str(error))}.", code="unreachable")
    return ConnectionResetError(f"{target} ended the connection in the middle of its answer.")


def _send(below: ByteStream, channel: ClientProtocol) -> None:
    for data in channel.data_to_send():
        if data:
            below.write(data)


class ForwardStream:
    """A ByteStream over the WebSocket of a port-forward. What the other side says on its error channel is OSError."""

    def __init__(self, below: ByteStream, channel: ClientProtocol, name: str, early: list[Event]) -> None:
        self._below = below
        self._channel = channel
        self._name = name
        self._early = early
        self._greeted: set[int] = set()
        self._message = bytearray()
        self._ended = False

    async def read(self) -> bytes:
        while not self._ended:
            received = self._received()
            if received or self._ended:
                return received
            data = await self._below.read()
            if data:
                self._channel.receive_data(data)
            else:
                self._ended = True
            _send(self._below, self._channel)  # the answers to pings
        return b""

    def _received(self) -> bytes:
        parts: list[bytes] = []
        events, self._early = [*self._early, *self._channel.events_received()], []
        for event in events:
            if isinstance(event, Frame):
                parts.append(self._data_of(event))
        return b"".join(parts)

    def _data_of(self, frame: Frame) -> bytes:
        if frame.opcode is Opcode.CLOSE:
            self._ended = True
        if frame.opcode not in (Opcode.BINARY, Opcode.CONT):
            return b""
        self._message += frame.data
        if not frame.fin:
            return b""
        message, self._message = bytes(self._message), bytearray()
        return self._payload(message) if message else b""

    def _payload(self, message: bytes) -> bytes:
        channel = message[0]
        if channel not in self._greeted:  # the first frame of each channel only repeats the port's number
            self._greeted.add(channel)
            return b""
        if channel == ERROR:
            said = redact(message[1:].decode("utf-8", "replace"))
            raise ConnectionResetError(f"The port-forward to {self._name} ended: {said}")
        return message[1:] if channel == DATA else b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data)
        try:
            for start in range(0, len(view), LARGEST_FRAME):
                self._channel.send_binary(bytes([DATA]) + view[start : start + LARGEST_FRAME])
        except WebSocketException:
            raise ConnectionResetError(f"The port-forward to {self._name} has ended.") from None
        _send(self._below, self._channel)

    async def drain(self) -> None:
        await self._below.drain()

    def close(self) -> None:
        """Says goodbye and does not wait for the answer."""
        if not self._ended:
            self._ended = True
            try:
                self._channel.send_close(1000)
                _send(self._below, self._channel)
            except (WebSocketException, OSError):
                pass  # it is closing already, or gone
        self._below.close()
