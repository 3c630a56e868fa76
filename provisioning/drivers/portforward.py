"""A TCP connection to a pod's port, carried by one WebSocket through the host's API server.

The same road on every host: what `kubectl port-forward` uses, without its listener on loopback. It needs no thread:
whoever reads from or writes to the connection moves its bytes.
"""

from contextlib import suppress
from typing import Any
from urllib.parse import quote

import websocket

from provisioning.drivers.errors import ConflictError, NotFound, converting, redact
from provisioning.drivers.route import Route
from provisioning.engine.errors import PermanentError, TemporaryError

PROTOCOL = "v4.channel.k8s.io"
"""The one subprotocol the port-forward endpoint speaks over WebSocket (v5 is for exec and attach)."""

DATA, ERROR = 0, 1
"""The first byte of each message: which of a port's two channels it is of."""
LARGEST_FRAME = 32 * 1024


def port_forward(route: Route, *, namespace: str, pod: str, port: int) -> "ForwardedSocket":
    """Exactly one port-forward, for exactly one connection. Closing what is returned ends it.

    A pod that is not there or not running is `unreachable`, and no 404: nobody asked for the pod itself.
    """
    path = forward_path(namespace, pod, port)
    try:
        with converting(route.target):
            channel = _open(route, "wss" + route.server.removeprefix("https") + path)
    except (NotFound, ConflictError, PermanentError) as error:
        if error.code in _ABOUT_US:
            raise
        raise TemporaryError(f"Pod {namespace}/{pod} cannot be reached: {error.message}", code="unreachable") from error
    return ForwardedSocket(channel, f"pod {namespace}/{pod}, port {port}")


def forward_path(namespace: str, pod: str, port: int) -> str:
    """Where an API server opens a port-forward."""
    return f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/portforward?ports={port}"


_ABOUT_US = ("unauthorized", "forbidden", "certificate")


def _open(route: Route, url: str) -> Any:
    channel: Any = websocket.WebSocket(skip_utf8_validation=True)
    channel.connect(
        url,
        socket=route.dial(),
        header=route.headers(),
        subprotocols=[PROTOCOL],
        suppress_origin=True,
        redirect_limit=0,  # the token goes nowhere else
    )
    return channel


class ForwardedSocket:
    """The part of a socket that urllib3's TLS-over-anything needs. TimeoutError and ConnectionError as sockets do."""

    def __init__(self, channel: Any, name: str) -> None:
        self._channel = channel
        self._name = name
        self._received = b""
        self._greeted: set[int] = set()
        self._closed = False
        self._io_refs = 0

    def recv(self, size: int) -> bytes:
        """At least one byte, or b"" when the other side has ended the connection."""
        while not self._received:
            data = self._next_frame()
            if data is None:
                return b""
            self._received = data
        taken, self._received = self._received[:size], self._received[size:]
        return taken

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        for start in range(0, len(view), LARGEST_FRAME):
            frame = bytes([DATA]) + view[start : start + LARGEST_FRAME]
            try:
                self._channel.send_binary(frame)
            except websocket.WebSocketTimeoutException as error:
                raise TimeoutError(str(error)) from error
            except websocket.WebSocketException as error:
                raise ConnectionResetError(str(error)) from error

    def _next_frame(self) -> bytes | None:
        """The data of one frame, b"" for one without, None at the end."""
        try:
            opcode, payload = self._channel.recv_data()
        except websocket.WebSocketTimeoutException as error:
            raise TimeoutError(str(error)) from error
        except websocket.WebSocketException:
            return None
        if opcode == websocket.ABNF.OPCODE_CLOSE or not payload:
            return None
        return self._data_of(payload[0], payload[1:])

    def _data_of(self, channel: int, data: bytes) -> bytes:
        if channel not in self._greeted:  # the first frame of each channel only repeats the port's number
            self._greeted.add(channel)
            return b""
        if channel == ERROR:
            said = redact(data.decode("utf-8", "replace"))
            raise TemporaryError(f"The port-forward to {self._name} ended: {said}", code="unreachable")
        return data if channel == DATA else b""

    def pending(self) -> bool:
        """True if bytes lie here that a poll on the descriptor does not see."""
        outer = getattr(self._channel.sock, "pending", None)
        return bool(self._received or (outer and outer()))

    def fileno(self) -> int:
        return -1 if self._channel.sock is None else int(self._channel.sock.fileno())

    def settimeout(self, seconds: float | None) -> None:
        if self._channel.sock is not None:
            self._channel.sock.settimeout(seconds)

    def gettimeout(self) -> float | None:
        seconds: float | None = self._channel.sock.gettimeout() if self._channel.sock is not None else None
        return seconds

    def close(self) -> None:
        """As sockets do it: the connection ends when the last file made of it is closed too."""
        self._closed = True
        if self._io_refs <= 0:
            self._end()

    def _decref_socketios(self) -> None:
        self._io_refs = max(0, self._io_refs - 1)
        if self._closed:
            self.close()

    def _end(self) -> None:
        """Says goodbye and does not wait for the answer, which may take seconds."""
        if self._channel.connected:
            with suppress(OSError, websocket.WebSocketException):  # it may be gone already
                self._channel.send_close()
        self._channel.shutdown()
