"""How one API server is dialled: trust, identity, proxy and timeouts, from a HostConnection and nothing else.

No kubeconfig, environment variable or file of this machine has a say in it.
"""

import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import urllib3
from urllib3.connection import HTTPSConnection, ProxyConfig
from urllib3.util import Url, make_headers, parse_url
from urllib3.util.ssl_ import ALPN_PROTOCOLS

from clusters.connection import HostConnection
from provisioning.drivers.memory_file import memory_file, memory_file_path
from provisioning.engine.errors import PermanentError

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
IDLE_CONNECTIONS = 32
"""How many open connections to one server are kept for the next calls."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds for a connection to be made, and for each wait for bytes after that."""

    connect: float = CONNECT_SECONDS
    read: float = READ_SECONDS


@dataclass(frozen=True)
class Route:
    """The way to one API server. `target` names it in messages; its parts never show up in a repr."""

    target: str
    server: str
    timeouts: Timeouts
    ssl_context: ssl.SSLContext = field(repr=False)
    token: str = field(repr=False, default="")
    server_hostname: str | None = None
    proxy: Url | None = field(repr=False, default=None)

    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def pool_manager(self) -> urllib3.PoolManager:
        """A thread-safe pool of connections; nothing is retried or redirected in it."""
        options: dict[str, Any] = {
            "ssl_context": self.ssl_context,
            "server_hostname": self.server_hostname,
            "retries": False,
            "maxsize": IDLE_CONNECTIONS,
        }
        if self.proxy is None:
            return urllib3.PoolManager(**options)
        return urllib3.ProxyManager(_without_auth(self.proxy), proxy_headers=proxy_headers(self.proxy), **options)

    def dial(self) -> Any:
        """One TLS connection to the server, for a protocol that is not HTTP's. A socket with the read timeout set."""
        url = parse_url(self.server)
        if self.proxy is None:
            connection = self._https_connection(url.host or "", url.port or 443)
        else:
            connection = self._https_connection(self.proxy.host or "", self.proxy.port or 80, proxy=self.proxy)
            headers = proxy_headers(self.proxy)
            connection.set_tunnel(url.host or "", url.port or 443, headers, scheme=self.proxy.scheme or "http")
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        connection.sock.settimeout(self.timeouts.read)
        return connection.sock

    def _https_connection(self, host: str, port: int, *, proxy: Url | None = None) -> HTTPSConnection:
        return HTTPSConnection(
            host.strip("[]"),
            port,
            timeout=self.timeouts.connect,
            ssl_context=self.ssl_context,
            server_hostname=self.server_hostname,
            proxy=proxy,
            proxy_config=ProxyConfig(None, False, None, None) if proxy else None,
        )


def route_to(connection: HostConnection, *, target: str, timeouts: Timeouts) -> Route:
    """PermanentError (certificate, unauthorized, invalid) for a connection that cannot work at all."""
    if any(character.isspace() or not character.isprintable() for character in connection.token):
        raise PermanentError(f"The token for {target} holds characters that no token can.", code="unauthorized")
    return Route(
        target=target,
        server=connection.server.rstrip("/"),
        timeouts=timeouts,
        ssl_context=_ssl_context(connection, target),
        token=connection.token,
        server_hostname=connection.tls_server_name or None,
        proxy=_proxy(connection.proxy_url, target),
    )


class SharedContext(ssl.SSLContext):
    """One by which threads connect at the same time, so nothing of it may be changed meanwhile.

    urllib3 sets the protocols anew for each connection; OpenSSL then frees those that another thread may be sending.
    """

    _protocols: Sequence[str] | None = None

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Touches nothing where they are the same."""
        wanted = list(alpn_protocols)
        if wanted != self._protocols:
            super().set_alpn_protocols(wanted)
            self._protocols = wanted


def _ssl_context(connection: HostConnection, target: str) -> ssl.SSLContext:
    context = SharedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(ALPN_PROTOCOLS)
    try:
        if connection.ca_pem:
            context.load_verify_locations(cadata=connection.ca_pem)
        else:
            context.load_default_certs()
    except ssl.SSLError:
        raise PermanentError(f"The certificate authority of {target} cannot be read.", code="certificate") from None
    # As client-go has it: a given certificate is trusted although it is no root, and old private CAs are accepted.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if connection.client_certificate_pem:
        _load_client_certificate(context, connection, target)
    return context


def _load_client_certificate(context: ssl.SSLContext, connection: HostConnection, target: str) -> None:
    pem = f"{connection.client_certificate_pem}\n{connection.client_key_pem}\n"
    with memory_file(pem) as descriptor:
        try:
            context.load_cert_chain(memory_file_path(descriptor))
        except ssl.SSLError:
            message = f"The client certificate for {target} and its key cannot be read or do not belong together."
            raise PermanentError(message, code="unauthorized") from None


def _proxy(proxy_url: str, target: str) -> Url | None:
    if not proxy_url:
        return None
    proxy = parse_url(proxy_url)
    if proxy.scheme not in ("http", "https") or not proxy.host:
        message = f"The proxy of {target} cannot be used: only http:// and https:// proxies can."
        raise PermanentError(message, code="invalid", hint="Change proxy-url in the kubeconfig.")
    return proxy._replace(port=proxy.port or {"http": 80, "https": 443}[proxy.scheme])


def _without_auth(proxy: Url) -> str:
    return proxy._replace(auth=None).url


def proxy_headers(proxy: Url) -> dict[str, str]:
    return dict(make_headers(proxy_basic_auth=unquote(proxy.auth))) if proxy.auth else {}
