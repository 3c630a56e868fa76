"""A gate in front of a host's API that ends TLS, so that it can answer in the host's place, or cut its answers.

It asks a token of its own and gives the real one only to the host, so that a token can be rotated at once. Every
request has an upstream connection of its own; port-forwards go through.
"""

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.provisioning.drivers.fault_servers import HERE, certificate_pem

_HALF = 2
_LINGER_ZERO = b"\1\0\0\0\0\0\0\0"


@dataclass(frozen=True)
class Request:
    """What somebody asked."""

    method: str
    path: str
    agent: str

    @property
    def changes(self) -> bool:
        return self.method != "GET"


@dataclass(frozen=True)
class Answer:
    """In place of the host's own."""

    status: int
    body: bytes
    headers: tuple[str, ...] = ()

    def content(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} Said", f"Content-Length: {len(self.body)}", "Content-Type: application/json"]
        return "\r\n".join([*lines, *self.headers, "Connection: close", "", ""]).encode() + self.body


@dataclass(frozen=True)
class Cut:
    """The host's own answer, but only half of it; `reset` with a TCP reset in place of an end."""

    reset: bool


Fault = Callable[[Request], Answer | Cut | None]


@dataclass(frozen=True)
class Seen:
    """A request that came, when (monotonic seconds), and whether it met a fault."""

    at: float
    request: Request
    hit: bool


@dataclass
class _Head:
    line: str
    headers: dict[str, str]
    body: bytes = b""

    def content(self, changed: Mapping[str, str]) -> bytes:
        lines = [f"{name}: {value}" for name, value in {**self.headers, **changed}.items()]
        return "\r\n".join([self.line, *lines, "", ""]).encode() + self.body


def well(request: Request) -> None:
    """No fault."""


class Gate:
    """Listens from its making until `close`. `token` is what it takes; `fault` decides on each request."""

    def __init__(self, *, upstream: str, upstream_token: str, folder: Path, token: str) -> None:
        address = urlsplit(upstream)
        self._upstream = (address.hostname or HERE, address.port or 443)
        self._upstream_token = upstream_token
        self._trusting = ssl.create_default_context()
        self._trusting.check_hostname = False
        self._trusting.verify_mode = ssl.CERT_NONE  # a way between two ends of one test
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.token = token
        self.fault: Fault = well
        self.page_size = 0
        """How many objects a page of a list has at most; 0: as many as were asked for."""
        self._seen: list[Seen] = []
        self._lock = threading.Lock()
        self.ca_pem = certificate_pem(HERE)[0]
        self._good = self._context(HERE)
        self._current = self._good
        self._listener = socket.create_server((HERE, 0), backlog=64)
        self.server = f"https://{HERE}:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _context(self, name: str) -> ssl.SSLContext:
        certificate, key = certificate_pem(name)
        pem = self._folder / f"{name}.pem"
        pem.write_text(certificate + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        return context

    def close(self) -> None:
        self._listener.close()

    def show_another_certificate(self) -> None:
        """Of an authority that nobody told of."""
        self._current = self._context("127.0.0.2")

    def spoil(self, fault: Fault) -> None:
        """From the next request on."""
        self.fault = fault

    def heal(self) -> None:
        """As if nothing had been; the token stays."""
        self.fault, self._current, self.page_size = well, self._good, 0

    def seen(self, part: str = "") -> list[Seen]:
        """Requests whose path has this in it."""
        with self._lock:
            return [seen for seen in self._seen if part in seen.request.path]

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                raw, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        raw.settimeout(60)
        with suppress(OSError, ValueError), raw, self._current.wrap_socket(raw, server_side=True) as client:
            head = _read_head(client)
            if head is not None:
                self._answer(client, raw, head)

    def _answer(self, client: ssl.SSLSocket, raw: socket.socket, head: _Head) -> None:
        method, path, _ = head.line.split(" ", 2)
        request = Request(method, path, head.headers.get("User-Agent", ""))
        given = head.headers.get("Authorization") == f"Bearer {self.token}"
        fault = self.fault(request) if given else UNAUTHORIZED
        with self._lock:
            self._seen.append(Seen(time.monotonic(), request, fault is not None))
        if isinstance(fault, Answer):
            client.sendall(fault.content())
            return
        with socket.create_connection(self._upstream, timeout=60) as plain, self._trusting.wrap_socket(plain) as host:
            head.line = self._paged(head.line)
            host.sendall(head.content(self._changed(head)))
            if "Upgrade" in head.headers:
                _both_ways(client, host)
            elif fault is None:
                _pump(host, client)
            else:
                self._cut(client, host, reset=fault.reset)

    def _paged(self, line: str) -> str:
        return re.sub(r"(?<=[?&]limit=)\d+", str(self.page_size), line) if self.page_size else line

    def _changed(self, head: _Head) -> dict[str, str]:
        real = {"Authorization": f"Bearer {self._upstream_token}"}
        return real if "Upgrade" in head.headers else {**real, "Connection": "close"}

    @staticmethod
    def _cut(client: ssl.SSLSocket, host: ssl.SSLSocket, *, reset: bool) -> None:
        whole = b"".join(iter(lambda: host.recv(65536), b""))
        head, _, body = whole.partition(b"\r\n\r\n")
        client.sendall(head + b"\r\n\r\n" + body[: len(body) // _HALF])
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)


UNAUTHORIZED = Answer(401, b'{"kind":"Status","code":401,"reason":"Unauthorized","message":"Unauthorized"}')


def _read_head(client: ssl.SSLSocket) -> _Head | None:
    data = b""
    while b"\r\n\r\n" not in data:
        part = client.recv(65536)
        if not part:
            return None
        data += part
    text, _, body = data.partition(b"\r\n\r\n")
    line, *rest = text.decode("latin-1").split("\r\n")
    head = _Head(line, dict(each.split(": ", 1) for each in rest if ": " in each))
    left = int(head.headers.get("Content-Length", 0)) - len(body)
    while left > 0:
        part = client.recv(65536)
        body, left = body + part, left - len(part)
        if not part:
            return None
    head.body = body
    return head


def _pump(source: ssl.SSLSocket, target: ssl.SSLSocket) -> None:
    with suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)


def _both_ways(client: ssl.SSLSocket, host: ssl.SSLSocket) -> None:
    """Until either end is closed."""
    back = threading.Thread(target=_ended, args=(host, client), daemon=True)
    back.start()
    _ended(client, host)
    back.join(60)


def _ended(source: ssl.SSLSocket, target: ssl.SSLSocket) -> None:
    _pump(source, target)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@dataclass
class Faults:
    """Ready-made faults. Each answers as an API server does."""

    retry_after: int = 2
    _turn: list[int] = field(default_factory=list)

    def server_errors(self, request: Request) -> Answer:
        """500 and 503, in turns."""
        self._turn.append(1)
        if len(self._turn) % 2:
            return _status(500, "InternalError", "etcdserver: leader changed")
        return Answer(503, b"upstream connect error")

    def conflicts(self, request: Request) -> Answer | None:
        """409 to everything that changes something."""
        return _status(409, "Conflict", "the object has been modified") if request.changes else None

    def forgotten_lists(self, request: Request) -> Answer | None:
        """410 to every further page of a list."""
        return (
            _status(410, "Expired", "The provided continue parameter is too old")
            if "continue=" in request.path
            else None
        )

    def too_many(self, request: Request) -> Answer:
        """429, with when to come back."""
        said = _status(429, "TooManyRequests", "too many requests, please try again later")
        return Answer(said.status, said.body, (f"Retry-After: {self.retry_after}",))

    def reset_in_the_body(self, request: Request) -> Cut:
        return Cut(reset=True)

    def cut_in_the_body(self, request: Request) -> Cut:
        return Cut(reset=False)


def _status(code: int, reason: str, message: str) -> Answer:
    body = f'{{"kind":"Status","status":"Failure","code":{code},"reason":"{reason}","message":"{message}"}}'
    return Answer(code, body.encode())
