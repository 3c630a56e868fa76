"""Port-forward over a WebSocket, as the API server does it (v4.channel.k8s.io), to a server on loopback."""

import base64
import contextlib
import hashlib
import select
import socket
import struct
from collections.abc import Callable, Iterator

from tests.fakes.server import Handler

PROTOCOL = "v4.channel.k8s.io"
_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BINARY, _CLOSE, _PING, _PONG = 2, 8, 9, 10
_DATA, _ERROR = 0, 1


def accept(handler: Handler) -> None:
    """Says yes to the change of protocol."""
    key = handler.headers.get("Sec-WebSocket-Key", "")
    answer = base64.b64encode(hashlib.sha1((key + _MAGIC).encode(), usedforsecurity=False).digest()).decode()
    handler.send_response(101)
    for name, value in (
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", answer),
        ("Sec-WebSocket-Protocol", PROTOCOL),
    ):
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.flush()


def greet(handler: Handler, port: int) -> None:
    """The first frame of each channel repeats the port's number."""
    for channel in (_DATA, _ERROR):
        _send(handler, bytes([channel]) + struct.pack("<H", port))


def refuse(handler: Handler, why: str) -> None:
    """The error channel says why there is no connection."""
    _send(handler, bytes([_ERROR]) + why.encode())
    _send(handler, b"", _CLOSE)


def forward(handler: Handler, to_port: int, opened: Callable[[socket.socket], None]) -> None:
    """Carries bytes both ways until either side ends. `opened` is given the inner connection, to be able to cut it.

    In one thread: a TLS connection must not be read and written at the same time.
    """
    frames = _Frames()
    with socket.create_connection(("127.0.0.1", to_port)) as inner, contextlib.suppress(OSError):
        inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened(inner)
        while True:
            outer = handler.connection
            ready = [outer] if outer.pending() else select.select([outer, inner], [], [])[0]
            if outer in ready and not _carry_in(handler, frames, inner):
                return
            if inner in ready:
                data = inner.recv(32768)
                if not data:
                    _send(handler, b"", _CLOSE)
                    return
                _send(handler, bytes([_DATA]) + data)


def _carry_in(handler: Handler, frames: "_Frames", inner: socket.socket) -> bool:
    """What the client sent; False at its end."""
    received = handler.connection.recv(65536)
    for code, payload in frames.added(received):
        if code == _CLOSE:
            return False
        if code == _PING:
            _send(handler, payload, _PONG)
        elif code == _BINARY and payload[:1] == bytes([_DATA]):
            inner.sendall(payload[1:])
    return bool(received)


class _Frames:
    """Frames out of a stream of bytes."""

    def __init__(self) -> None:
        self._left = b""

    def added(self, received: bytes) -> Iterator[tuple[int, bytes]]:
        """The frames that are whole now: code and payload."""
        self._left += received
        while (frame := self._first()) is not None:
            yield frame

    def _first(self) -> tuple[int, bytes] | None:
        data = self._left
        if len(data) < 2:
            return None
        length, at = data[1] & 0x7F, 2
        if length > 125:
            size = 2 if length == 126 else 8
            length, at = int.from_bytes(data[2 : 2 + size], "big"), 2 + size
        mask = data[at : at + 4] if data[1] & 0x80 else b""
        at += len(mask)
        if len(data) < at + length or (data[1] & 0x80 and len(mask) < 4):
            return None
        self._left = data[at + length :]
        return data[0] & 0x0F, _unmasked(data[at : at + length], mask)


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    """As one number: byte by byte takes too long."""
    if not mask or not payload:
        return payload
    repeated = (mask * (len(payload) // 4 + 1))[: len(payload)]
    number = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return number.to_bytes(len(payload), "big")


def _send(handler: Handler, payload: bytes, code: int = _BINARY) -> None:
    length = len(payload)
    head = bytes([0x80 | code])
    if length < 126:
        head += bytes([length])
    elif length < 65536:
        head += struct.pack(">BH", 126, length)
    else:
        head += struct.pack(">BQ", 127, length)
    handler.wfile.write(head + payload)
    handler.wfile.flush()
