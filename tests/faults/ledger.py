"""A host whose API keeps what it is given and writes down every call: what workers really did can be counted.

It knows no kinds. An object is its path; lists are empty, so it is good for drills and not for a virtual cluster.
"""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.provisioning.drivers.fault_servers import HERE, certificate_pem


@dataclass(frozen=True)
class Effect:
    """One call that changed something, or would have. `new`: there was no such object before."""

    path: str
    new: bool
    body: dict[str, Any]

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class Ledger:
    """Serves while the context lasts. Calls can be held up: a worker is then in the middle of its step."""

    def __init__(self, folder: Path) -> None:
        certificate, key = certificate_pem(HERE)
        self.ca_pem = certificate
        folder.mkdir(parents=True, exist_ok=True)
        pem = folder / "ledger.pem"
        pem.write_text(certificate + key)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pem)
        self._lock = threading.Lock()
        self._objects: dict[str, dict[str, Any]] = {}
        self._effects: list[Effect] = []
        self._calls: list[str] = []
        self._open = threading.Event()
        self._open.set()
        self._looks = False
        self._held: list[str] = []
        self._server = _Server(self, self._context)
        self.server = f"https://{HERE}:{self._server.server_address[1]}"

    def __enter__(self) -> "Ledger":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.set()
        self._server.shutdown()
        self._server.server_close()

    def calls(self, prefix: str) -> int:
        """Requests of any kind so far about objects whose name begins so."""
        with self._lock:
            return sum(path.rpartition("/")[2].startswith(prefix) for path in self._calls)

    @property
    def held(self) -> list[str]:
        """The paths of the calls that are held up now."""
        with self._lock:
            return list(self._held)

    def effects(self, prefix: str = "") -> list[Effect]:
        """Those on objects whose name begins so, in order."""
        with self._lock:
            return [effect for effect in self._effects if effect.name.startswith(prefix)]

    @contextmanager
    def holding(self, *, looks: bool = False) -> Iterator[None]:
        """Effects begun in this block are done, but answered only after it; with `looks` so are GETs of them."""
        self._looks = looks
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """What the API says, when it says it."""
        path = path.partition("?")[0]
        answer = self._change(path, body) if method in ("PATCH", "POST") else self._look(path)
        if method != "GET" or (self._looks and "/drill-" in path):
            self._wait(path)
        return answer

    def _change(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        with self._lock:
            self._calls.append(path)
            self._effects.append(Effect(path, path not in self._objects, body))
            self._objects[path] = body
        return 200, body

    def _look(self, path: str) -> tuple[int, dict[str, Any]]:
        with self._lock:
            self._calls.append(path)
            found = self._objects.get(path)
        if found is not None:
            return 200, found
        if path == "/version":
            return 200, {"gitVersion": "v1.36.3"}
        if "/drill-" not in path:
            return 200, {"items": [], "metadata": {}, "groups": []}
        return 404, {"kind": "Status", "code": 404, "reason": "NotFound", "message": f"{path} not found"}

    def _wait(self, path: str) -> None:
        if self._open.is_set():
            return
        with self._lock:
            self._held.append(path)
        self._open.wait(120)
        with self._lock:
            self._held.remove(path)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, ledger: Ledger, context: ssl.SSLContext) -> None:
        self.ledger = ledger
        self.context = context
        super().__init__((HERE, 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are killed in the middle of a call are what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        self.request.settimeout(60)
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def _any(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, answer = self.server.ledger.answer(self.command, self.path, json.loads(content) if content else {})
        body = json.dumps(answer).encode()
        head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)  # at once: a second small write would wait for an acknowledgement

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _any  # noqa: N815 (names of the standard library)

    def log_message(self, *_: object) -> None:
        """Effects are the log."""
