"""Toxiproxy, by its HTTP API: one server, a proxy for each host, and what goes wrong on the way to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from dev.processes import Processes, Program
from localkube.ports import free_ports
from tests.faults.waiting import until


class Toxiproxy:
    """The running server."""

    def __init__(self, program: Path, processes: Processes) -> None:
        port = free_ports(1)[0]
        processes.start(Program("toxiproxy", [program, "-host", "127.0.0.1", "-port", str(port)], {}, Path("/")))
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5, trust_env=False)
        until(self._answers, "Toxiproxy did not answer", seconds=20)
        self._numbers = count(1)

    def _answers(self) -> bool:
        try:
            return self._http.get("/version").is_success
        except httpx.TransportError:
            return False

    def proxy(self, name: str, server: str) -> "Proxy":
        """A way of its own to `server`, an https:// address on this machine. `name` is for Toxiproxy's log."""
        port, name = free_ports(1)[0], f"{name}-{next(self._numbers)}"
        body = {"name": name, "listen": f"127.0.0.1:{port}", "upstream": urlsplit(server).netloc, "enabled": True}
        self._http.post("/proxies", json=body).raise_for_status()
        return Proxy(self._http, name, port)


class Proxy:
    """One way, well until told otherwise. `server` is what to call in place of the real one."""

    def __init__(self, http: httpx.Client, name: str, port: int) -> None:
        self._http = http
        self._path = f"/proxies/{name}"
        self.server = f"https://127.0.0.1:{port}"

    def refuse(self) -> None:
        """Nobody listens any more, and connections that were open are closed."""
        self._http.post(self._path, json={"enabled": False}).raise_for_status()

    def toxic(self, kind: str, *, stream: str = "downstream", **attributes: int) -> None:
        """Adds one; `stream` downstream is what the server says."""
        body = {"name": kind, "type": kind, "stream": stream, "attributes": attributes}
        self._http.post(f"{self._path}/toxics", json=body).raise_for_status()

    def silence(self) -> None:
        """Takes connections; not a byte comes back."""
        self.toxic("timeout", timeout=0)

    def delay(self, milliseconds: int) -> None:
        """Every answer comes that much later."""
        self.toxic("latency", latency=milliseconds)

    def reset(self) -> None:
        """Every connection ends with a TCP reset as soon as something was sent."""
        self.toxic("reset_peer", timeout=0)

    def cut(self, after: int) -> None:
        """Every connection ends after so many bytes of answer."""
        self.toxic("limit_data", bytes=after)

    def heal(self) -> None:
        """As if nothing had been. Not while a client is frozen: Toxiproxy would wait for it to read."""
        found = self._http.get(f"{self._path}/toxics").raise_for_status().json()
        for toxic in found:
            self._http.delete(f"{self._path}/toxics/{toxic['name']}").raise_for_status()
        self._http.post(self._path, json={"enabled": True}).raise_for_status()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Silent while the block runs."""
        self.silence()
        try:
            yield
        finally:
            self.heal()
