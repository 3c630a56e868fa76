"""One request to a webhook's receiver: to an address that was checked, within a bounded time, without any proxy.

The name is resolved once. What was checked is what is connected to, so an answer that changes in between (rebinding)
leads nowhere. The certificate is checked against the name, which also goes out as SNI and Host.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from accounts.webhook_addresses import Resolver, SocketAddress, address_refused, resolve

ANSWER_BYTES: Final = 64 * 1024
"""So much of an answer is read."""


@dataclass(frozen=True)
class Answer:
    """What a receiver said."""

    status: int
    body: bytes
    retry_after: str = ""


class Undelivered(Exception):
    """No answer came. Its text is a sentence for people; it quotes neither secret nor address."""


@dataclass(frozen=True)
class Transport:
    """How requests are sent; tests give it another resolver or other certificates."""

    resolver: Resolver = resolve
    tls: ssl.SSLContext | None = None

    def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Sends the request and reads the answer, of any status. Raises Undelivered."""
        timeout = float(settings.WEBHOOK_TIMEOUT_SECONDS)
        parts = urlsplit(url)
        connection = _Connection(parts, timeout)
        # each single read is bounded by the socket; all of them together by this
        watch = threading.Timer(2 * timeout, connection.cut)
        watch.daemon = True
        try:
            addresses = self._allowed(connection.host, connection.port)
            watch.start()
            self._connect(connection, addresses, timeout)
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", path, body=body, headers=dict(headers))
            answer = connection.getresponse()
            found = Answer(answer.status, answer.read(ANSWER_BYTES), answer.getheader("Retry-After", "") or "")
            if connection.was_cut:  # which looks like the end of an answer
                raise TimeoutError
            return found
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Undelivered(_sentence(error, was_cut=connection.was_cut)) from None
        finally:
            watch.cancel()
            connection.close()

    def _connect(self, connection: "_Connection", addresses: Sequence[SocketAddress], timeout: float) -> None:
        """The socket is the connection's before the handshake: so that can be cut, too."""
        plain = _connected(addresses, timeout)
        connection.sock = plain
        if connection.tls:
            wrapped = (self.tls or _public_tls()).wrap_socket(
                plain, server_hostname=connection.host, do_handshake_on_connect=False
            )
            connection.sock = wrapped
            wrapped.do_handshake()

    def _allowed(self, host: str, port: int) -> list[SocketAddress]:
        """The addresses of the name that something may be sent to, in the resolver's order."""
        try:
            found = self.resolver(host, port)
        except (OSError, UnicodeError):
            raise Undelivered("The name of the receiver could not be resolved.") from None
        allowed, reason = [], "nothing"
        for family, address in found:
            refused = address_refused(ip_address(_number(address)), allow_private=settings.WEBHOOK_ALLOW_PRIVATE)
            reason = refused or reason
            if not refused:
                allowed.append((family, address))
        if not allowed:
            raise Undelivered(f"The name of the receiver leads to {reason}: nothing is delivered there.")
        return allowed


def _number(address: Any) -> str:
    """Without the zone of a link-local one."""
    return str(address[0]).partition("%")[0]


def _connected(addresses: Sequence[SocketAddress], timeout: float) -> socket.socket:
    """The first that answers, each tried for its share of the time."""
    error: OSError = OSError("there is no address")
    for family, address in addresses[:4]:
        found = socket.socket(family, socket.SOCK_STREAM)
        found.settimeout(timeout / min(len(addresses), 4))
        try:
            found.connect(address)
        except OSError as this:
            found.close()
            error = this
        else:
            found.settimeout(timeout)
            return found
    raise error


class _Connection(http.client.HTTPConnection):
    """Speaks HTTP over the socket it is given, and can be cut from another thread."""

    auto_open = 0  # it never connects by itself: only what was checked is used

    def __init__(self, url: SplitResult, timeout: float) -> None:
        self.tls = url.scheme == "https"
        self.default_port = 443 if self.tls else 80  # which the header Host leaves out
        super().__init__(url.hostname or "", url.port or self.default_port, timeout=timeout)
        self.was_cut = False

    def cut(self) -> None:
        """Ends whatever is being waited for."""
        self.was_cut = True
        if self.sock is not None:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it is closed already


@lru_cache(maxsize=1)
def _public_tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _sentence(error: Exception, *, was_cut: bool) -> str:
    if was_cut or isinstance(error, TimeoutError):
        return "The receiver did not answer in time."
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The receiver's certificate is not trusted ({error.verify_message})."
    if isinstance(error, ssl.SSLError):
        return "No TLS connection could be made with the receiver."
    if isinstance(error, ConnectionRefusedError):
        return "The receiver refused the connection."
    if isinstance(error, http.client.HTTPException):
        return "The receiver did not speak HTTP."
    return f"The connection failed ({type(error).__name__})."
