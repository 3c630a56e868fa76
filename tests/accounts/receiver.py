"""A receiver of webhooks on loopback, over http or https, which answers as it is told and remembers what came."""

import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook as Library


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: str

    def verified(self, secret: str) -> Any:
        """The payload, after the library that receivers use found the signature right."""
        return Library(secret).verify(self.body, self.headers)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Say:
    """An answer. `before` runs first, in the receiver's thread: it may wait for something."""

    status: int = 204
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    before: Callable[[], None] = lambda: None


class _Server(ThreadingHTTPServer):
    """Of IPv6 where its address is."""

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)


class Receiver:
    """Use it with `with`. `answer` is asked for each request; 204 unless set."""

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.received: list[Received] = []
        self.answer: Callable[[Received], Say] = lambda _: Say()
        self._server = _Server((host, 0), self._handler())
        self._server.daemon_threads = True
        # a sender that has enough of an answer closes the connection
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        written = f"[{host}]" if ":" in host else host
        self.url = f"http{'s' if tls else ''}://{written}:{self.port}/hook?of=marina"

    def __enter__(self) -> "Receiver":
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def says(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.answer = lambda _: Say(status, body, {name.replace("_", "-"): value for name, value in headers.items()})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                received = Received(self.path, headers, self.rfile.read(length).decode())
                outer.received.append(received)
                say = outer.answer(received)
                say.before()
                self.send_response(say.status)
                for name, value in say.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(say.body)))
                self.end_headers()
                self.wfile.write(say.body)

            def log_message(self, *args: Any) -> None:
                pass

        return Handler
