"""The network of a fake API server: TLS on loopback, one thread a connection, and the end of all of them."""

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.access import MASTERS, User
from tests.fakes.answers import Refusal, unauthorized
from tests.fakes.cluster import FakeCluster, Request, to_bytes

Upgrade = Callable[["Handler", Request], None]
"""Takes a connection over, for what is no request and answer."""


class Server:
    """Serves one cluster until closed; closing ends every connection. `upgrades`: by the last part of a path."""

    def __init__(
        self, cluster: FakeCluster, context: ssl.SSLContext, upgrades: dict[str, Upgrade], port: int = 0
    ) -> None:
        self.cluster = cluster
        self.upgrades = upgrades
        self._context = context
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, name=f"fake-{self.port}", daemon=True).start()

    def close(self) -> None:
        for left in (self._listener, *list(self._open)):
            with contextlib.suppress(OSError):
                left.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                raw, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.add(raw)
        try:
            with contextlib.suppress(OSError, ValueError), self._context.wrap_socket(raw, server_side=True) as secured:
                self._open.add(secured)
                try:
                    Handler(secured, ("127.0.0.1", self.port), self)  # type: ignore[arg-type]
                finally:
                    self._open.discard(secured)
        finally:
            self._open.discard(raw)
            raw.close()


class Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 for one connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: Server  # type: ignore[assignment]
    connection: ssl.SSLSocket

    def log_message(self, *said: Any) -> None:
        """Nothing: tests look at the state."""

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length)
        if len(content) < length:  # who asked was killed in the middle of it
            self.close_connection = True
            return
        try:
            request = Request(
                method=self.command,
                path=parts.path,
                user=self._user(),
                query=dict(parse_qsl(parts.query)),
                body=json.loads(content) if content else None,
                content_type=self.headers.get("Content-Type", ""),
                agent=self.headers.get("User-Agent", ""),
                accept=self.headers.get("Accept", ""),
            )
            if upgrade := self.server.upgrades.get(parts.path.rpartition("/")[2]):
                self.close_connection = True
                upgrade(self, request)
                return
            status, answer = 200, self.server.cluster.handle(request)
        except Refusal as refusal:
            status, answer = refusal.status, refusal.body()
        self.answer(status, to_bytes(answer))

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _handle  # noqa: N815 (the library looks for these names)

    def answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def _user(self) -> User:
        """Who it is, or whom he acts as: only who may do everything may, here."""
        user, other = self._own_user(), self.headers.get("Impersonate-User")
        if other is None:
            return user
        if MASTERS not in user.groups:
            raise Refusal(403, "Forbidden", f'users "{other}" is forbidden: User "{user.name}" cannot impersonate')
        return User(other, (*self.headers.get_all("Impersonate-Group", []), "system:authenticated"))

    def _own_user(self) -> User:
        """By token, else by the client certificate's subject."""
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        if kind == "Bearer":
            with self.server.cluster.lock:
                return self.server.cluster.access.who(token)
        subject: Any = (self.connection.getpeercert() or {}).get("subject", ())
        parts = [part for group in subject for part in group]
        names = [value for key, value in parts if key == "commonName"]
        if not names:
            raise unauthorized()
        groups = [value for key, value in parts if key == "organizationName"]
        return User(str(names[0]), (*map(str, groups), "system:authenticated"))
