"""What logs, exec, attach and port-forward of pods lead to on local hosts, where no container runs.

The host's administrator says so by objects that kwok reads, named like the pod. Programs that stay open are here too.
"""

import http.server
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localkube.lifetime import dies_with_parent
from localkube.virtual.translate import host_name

WEBSOCKETS = ("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "KUBECTL_PORT_FORWARD_WEBSOCKETS")


@dataclass(frozen=True)
class Copy:
    """The copy of a virtual pod on a local host. `admin` is kubectl as that host's administrator."""

    admin: Callable[..., object]
    release: str
    host_namespace: str
    pod: str
    namespace: str = "default"

    @property
    def name(self) -> str:
        return host_name(self.release, self.namespace, self.pod)

    def logs_from(self, file: Path) -> None:
        self._say("Logs", {"logs": [{"logsFile": str(file)}]})

    def attached_to(self, file: Path) -> None:
        self._say("Attach", {"attaches": [{"logsFile": str(file)}]})

    def executes_in(self, folder: Path) -> None:
        """Commands run on this machine, in that folder, as whoever runs the tests.

        kwok never ends a command's input, and tells of an exit code only in words: so commands here know by themselves
        how much they read, and `tar` goes on waiting after what it extracted (which it does block by block).
        """
        environment = {"PATH": os.environ["PATH"], "TAR_OPTIONS": "--blocking-factor=1"}
        envs = [{"name": name, "value": value} for name, value in environment.items()]
        self._say("Exec", {"execs": [{"local": {"workDir": str(folder), "envs": envs}}]})

    def forwards(self, port: int, to: int) -> None:
        """`port` of the pod is `to` of this machine."""
        self._say("PortForward", {"forwards": [{"ports": [port], "target": {"address": "127.0.0.1", "port": to}}]})

    def _say(self, kind: str, spec: dict[str, Any]) -> None:
        metadata = {"name": self.name, "namespace": self.host_namespace}
        said = {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}
        self.admin("apply", "--server-side", "--filename=-", stdin=json.dumps(said))


def log_line(file: Path, text: str) -> None:
    """Adds a line as container runtimes write it."""
    with file.open("a") as log:
        log.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z stdout F {text}\n")


def by_websocket(yes: bool) -> dict[str, str]:
    """The environment in which kubectl speaks WebSocket, or SPDY."""
    return dict(os.environ) | dict.fromkeys(WEBSOCKETS, str(yes).lower())


class Lines:
    """What a program says on a pipe, read as it comes."""

    def __init__(self, program: "subprocess.Popen[str]") -> None:
        self.seen: list[str] = []
        self._reader = threading.Thread(target=self._read, args=(program.stdout,), daemon=True)
        self._reader.start()

    def _read(self, pipe: Iterable[str]) -> None:
        for line in pipe:
            self.seen.append(line.rstrip("\n"))


@contextmanager
def running(
    command: Sequence[str | Path], environment: dict[str, str] | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """A program whose three streams are pipes; it is killed in the end."""
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
        preexec_fn=dies_with_parent(),
    ) as program:
        try:
            yield program
        finally:
            program.kill()


class _Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(f"hello from {self.path}".encode())

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


@contextmanager
def web_server() -> Iterator[int]:
    """An HTTP server on loopback, which greets and sends bodies back: its port."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hello) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
