"""The gateway as a client meets it: kubectl with a token, or bytes on a connection of one's own."""

import json
import secrets
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from dev.stack import Stack
from tests.e2e.api import Json


@dataclass(frozen=True)
class Gate:
    """One gateway."""

    url: str
    ca_file: Path

    @classmethod
    def of(cls, stack: Stack) -> "Gate":
        return cls(stack.gateway_url, Path(stack.environment["GATEWAY_CA_FILE"]))

    def kubeconfig(self, folder: Path, cluster: Json, token: str, *, user: Json | None = None) -> Path:
        """A kubeconfig with this token, as `marina kubeconfig --static` writes one."""
        name = "gate"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": name,
                    "cluster": {
                        "server": f"{self.url}/v1/clusters/{cluster['id']}",
                        "certificate-authority": str(self.ca_file),
                    },
                }
            ],
            "users": [{"name": name, "user": user or {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }
        file = folder / f"{secrets.token_hex(4)}.yaml"
        file.write_text(yaml.safe_dump(document))
        file.chmod(0o600)
        return file

    def connect(self, *, seconds: float = 10) -> ssl.SSLSocket:
        """A TLS connection to it."""
        address = urlsplit(self.url)
        raw = socket.create_connection((address.hostname, address.port), timeout=seconds)
        context = ssl.create_default_context(cafile=self.ca_file)
        return context.wrap_socket(raw, server_hostname=address.hostname)

    def say(self, data: bytes, *, seconds: float = 10) -> "Said":
        """Sends these bytes on a new connection and reads the first answer, and whether the connection then ends."""
        with self.connect(seconds=seconds) as connection:
            connection.sendall(data)
            return said(connection)

    def head(self, cluster: Json, token: str, *lines: str, path: str = "/version", method: str = "GET") -> bytes:
        """A request's head for this cluster."""
        first = f"{method} /v1/clusters/{cluster['id']}{path} HTTP/1.1"
        host = f"Host: {urlsplit(self.url).netloc}"
        return "\r\n".join([first, host, f"Authorization: Bearer {token}", *lines, "", ""]).encode("latin-1")


@dataclass(frozen=True)
class Said:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> str:
        """Of a Status."""
        return str(json.loads(self.body)["message"])


def said(connection: ssl.SSLSocket) -> Said:
    """The next answer on this connection, its body by Content-Length; status 0 where the connection ended before."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return Said(0, {}, data)
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        part = connection.recv(65536)
        if not part:
            return Said(0, {}, body)
        body += part
    return Said(int(first.split(" ")[1]), headers, body)
