"""The kubelet of a virtual cluster's nodes, as vcluster plays it: what is asked of a pod is asked of its copy.

It asks the host's API as the ServiceAccount that vcluster runs as, so that the host's RBAC and admission decide about
exec and the like, and the host's audit log tells of it. Only this cluster's API server gets in, by its certificate.
"""

import asyncio
import contextlib
import ssl
from collections import defaultdict
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from localkube.api import KubeApi
from localkube.carrying import Connection, carry
from localkube.pki import Authority
from localkube.virtual.release import Release
from localkube.virtual.settling import Key
from localkube.virtual.translate import host_name

_LONGEST_HEAD = 64 * 1024
_SUBRESOURCES = {"containerLogs": "log", "exec": "exec", "attach": "attach", "portForward": "portforward"}
_PARAMETERS = {"input": "stdin", "output": "stdout", "error": "stderr", "port": "ports"}
"""A kubelet calls them so, and the API server so. All others have the same name with both."""
_REPLACED = (b"host", b"authorization")
_NOT_KNOWN = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class VirtualKubelet:
    """A TLS server on a port of loopback that is chosen at its start."""

    def __init__(self, release: Release, host: KubeApi, authority: Authority) -> None:
        self.port = 0
        self._release = release
        self._host = host
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.certificate_file))
        self._tls.verify_mode = ssl.CERT_REQUIRED
        self._tls.load_cert_chain(*authority.issue_files("kubelet", "kubelet", hosts=["127.0.0.1"]))
        self._open: defaultdict[Key, set[asyncio.StreamWriter]] = defaultdict(set)
        self._server: asyncio.Server

    async def start(self) -> None:
        serve = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls, limit=_LONGEST_HEAD)
        self._server = await serve
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        self._server.close()
        for pod in list(self._open):
            self.cut(pod)

    def cut(self, pod: Key) -> None:
        """The pod is gone: what is open to it ends."""
        for writer in self._open.pop(pod, set()):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ssl.SSLError):
            head = await reader.readuntil(b"\r\n\r\n")
            if asked := asked_on_host(_target(head), self._release):
                await self._pass_on((reader, writer), asked[0], self._rewritten(head, asked[1]))
            else:
                writer.write(_NOT_KNOWN)
        writer.close()

    async def _pass_on(self, caller: Connection, pod: Key, head: bytes) -> None:
        self._open[pod].add(caller[1])
        try:
            host = await asyncio.open_connection(*_address(self._host.server), ssl=self._host.tls)
            host[1].write(head)
            await carry(caller, host)
        finally:
            self._open[pod].discard(caller[1])
            if not self._open[pod]:
                del self._open[pod]

    def _rewritten(self, head: bytes, target: str) -> bytes:
        """For the host's API, which ends the connection after its answer where the protocol does not change."""
        first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        named = [(line.partition(b":")[0].lower(), line) for line in lines]
        upgrade = any(name == b"upgrade" for name, _ in named)
        replaced = _REPLACED if upgrade else (*_REPLACED, b"connection")
        kept = [line for name, line in named if name not in replaced]
        ours = [f"Host: {urlsplit(self._host.server).netloc}", f"Authorization: Bearer {self._host.token}"]
        ours += [] if upgrade else ["Connection: close"]
        method = first.partition(b" ")[0]
        start = method + b" " + target.encode() + b" HTTP/1.1"
        return b"\r\n".join([start, *(line.encode() for line in ours), *kept, b"", b""])


def asked_on_host(target: str, release: Release) -> tuple[Key, str] | None:
    """Which virtual pod a kubelet's path and query name, and the host API's path and query that ask it of the copy.

    None for what a kubelet serves besides: metrics, and logs of the node.
    """
    path, _, query = target.partition("?")
    kind, *names = [unquote(part) for part in path.strip("/").split("/")]
    if kind not in _SUBRESOURCES or len(names) < 2:
        return None
    namespace, name, *rest = names
    asked = [(_PARAMETERS.get(key, key), value) for key, value in parse_qsl(query, keep_blank_values=True)]
    if rest and kind != "portForward":  # there the uid may follow; elsewhere the container comes last
        asked.append(("container", rest[-1]))
    copy = quote(host_name(release.name, namespace, name), safe="")
    pod = f"/api/v1/namespaces/{release.namespace}/pods/{copy}/{_SUBRESOURCES[kind]}"
    return (namespace, name), f"{pod}?{urlencode(asked)}"


def _target(head: bytes) -> str:
    return head.split(b" ", 2)[1].decode("latin-1")


def _address(server: str) -> tuple[str | None, int | None]:
    url = urlsplit(server)
    return url.hostname, url.port
