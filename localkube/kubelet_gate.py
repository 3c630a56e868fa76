"""Stands where the API server looks for the node's kubelet, and hands everything on to kwok.

kwok knows a pod by its name only: a port-forward it carries would survive the pod and reach its successor. Through
this gate the supervisor can break the forwards of one pod, as they break when a real pod ends.
"""

import asyncio
import contextlib
import ssl
from collections import defaultdict
from pathlib import Path

from localkube.carrying import carry

PodKey = tuple[str, str]
"""Namespace and name."""

_LONGEST_HEAD = 64 * 1024


class KubeletGate:
    """A TLS server in front of kwok's plain port."""

    def __init__(self, port: int, kwok_port: int, certificate: tuple[Path, Path]) -> None:
        self._port = port
        self._kwok_port = kwok_port
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(*certificate)
        self._open: defaultdict[PodKey, set[asyncio.StreamWriter]] = defaultdict(set)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        serve = asyncio.start_server(self._serve, "127.0.0.1", self._port, ssl=self._tls, limit=_LONGEST_HEAD)
        self._server = await serve

    async def stop(self) -> None:
        if self._server:
            self._server.close()
        for pod in list(self._open):
            self.cut(pod)

    def cut(self, pod: PodKey) -> None:
        """Breaks every forward (and whatever else is open) to that pod."""
        for writer in self._open.pop(pod, set()):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pod: PodKey | None = None
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ssl.SSLError):
            head = await reader.readuntil(b"\r\n\r\n")
            if pod := _pod_named_in(head):
                self._open[pod].add(writer)
            kwok = await asyncio.open_connection("127.0.0.1", self._kwok_port)
            kwok[1].write(head)
            await carry((reader, writer), kwok)
        writer.close()
        if pod:
            self._open[pod].discard(writer)


def _pod_named_in(head: bytes) -> PodKey | None:
    """From a request like `POST /portForward/NAMESPACE/POD HTTP/1.1`; a kubelet's paths all read so."""
    target = head.split(b" ", 2)[1].decode(errors="replace").partition("?")[0]
    parts = target.strip("/").split("/")
    return (parts[1], parts[2]) if len(parts) >= 3 and parts[0] in ("portForward", "exec", "attach") else None
