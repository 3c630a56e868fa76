"""Opening a connection to an API server by its Route, as provisioning/drivers/route.py does for threads."""

import asyncio
import http.client
import ssl

from urllib3.util import Url, parse_url

from provisioning.drivers.route import Route, proxy_headers
from provisioning.drivers.streams.byte_stream import ByteStream, TcpStream
from provisioning.drivers.streams.tls import TlsStream

_LONGEST_ANSWER = 16 * 1024


async def dial(route: Route) -> ByteStream:
    """One TLS connection to the server. OSError (TimeoutError, ssl.SSLError ...) where it does not come about."""
    async with asyncio.timeout(route.timeouts.connect):
        url = parse_url(route.server)
        host, port = (url.host or "").strip("[]"), url.port or 443
        if route.proxy is None:
            below: ByteStream = await connect(host, port)
        else:
            below = await _through_proxy(route.proxy, host, port)
        return await tls_to(below, route.ssl_context, route.server_hostname or host)


async def connect(host: str, port: int) -> TcpStream:
    """A plain TCP connection, whose other side is missed when it goes away without a word."""
    stream = TcpStream(*await asyncio.open_connection(host, port))
    stream.keep_alive()
    return stream


async def tls_to(below: ByteStream, context: ssl.SSLContext, server_hostname: str) -> TlsStream:
    """TLS over it, verified for this name. Where it fails, what is below is closed."""
    stream = TlsStream(below, context, server_hostname=server_hostname)
    try:
        await stream.handshake()
    except BaseException:
        below.close()
        raise
    return stream


async def _through_proxy(proxy: Url, host: str, port: int) -> ByteStream:
    below: ByteStream = await connect((proxy.host or "").strip("[]"), proxy.port or 80)
    if proxy.scheme == "https":
        below = await tls_to(below, ssl.create_default_context(), (proxy.host or "").strip("[]"))
    try:
        await _tunnel(below, host, port, proxy_headers(proxy))
    except BaseException:
        below.close()
        raise
    return below


async def _tunnel(below: ByteStream, host: str, port: int, headers: dict[str, str]) -> None:
    """CONNECT. Nothing of the server's may come with the answer: it waits for TLS's first word from us."""
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", *(f"{name}: {value}" for name, value in headers.items())]
    below.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
    answer = b""
    while b"\r\n\r\n" not in answer:
        data = await below.read()
        if not data or len(answer) > _LONGEST_ANSWER:
            raise ConnectionResetError("The proxy ended the connection in the middle of its answer.")
        answer += data
    status = answer.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
    if len(status) < 2 or not status[1].startswith("2"):
        reason = http.client.responses.get(int(status[1])) if len(status) > 1 and status[1].isdigit() else None
        raise ConnectionRefusedError(f"The proxy refused: {reason or 'its answer cannot be read'}.")
