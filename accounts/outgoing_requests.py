"""One request to an address that somebody else named: checked, bounded in time and size, without proxy or redirect.

The name is resolved once. What was checked is what is connected to, so an answer that changes in between (rebinding)
leads nowhere. The certificate is checked against the name, which also goes out as SNI and Host.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from accounts.outgoing_addresses import Resolver, SocketAddress, address_refused, resolve

# a name is looked up in a thread of its own, because that has no timeout
_look_ups: Final = ThreadPoolExecutor(max_workers=16, thread_name_prefix="name-look-up")
_TRIED_MOST: Final = 4


@dataclass(frozen=True)
class Answer:
    """What came back, of any status."""

    status: int
    body: bytes
    """At most as many bytes as were asked for."""
    retry_after: str = ""


class NameUnknown(Exception):
    """The name could not be resolved."""


class AddressRefused(Exception):
    """The name leads to addresses only to which nothing is sent; the text says of what kind ("a loopback address")."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How long one waits, and for how much."""

    each: float
    """Seconds that the other side may be silent."""
    whole: float
    """Seconds for all of it, the name's look-up too."""
    answer_bytes: int


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """How requests are sent. `allow_private` lets them go to loopback and private networks."""

    bounds: Bounds
    allow_private: bool
    resolver: Resolver = resolve
    tls: ssl.SSLContext | None = None

    def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Sends one request and reads the answer.

        Raises NameUnknown, AddressRefused, TimeoutError, and what sockets, TLS and HTTP raise (OSError, HTTPException;
        ValueError for an address that is none).
        """
        connection = _Connection(url, self.bounds)
        watch = connection.watch()
        try:
            self._connect(connection)
            connection.request(method, connection.target, body=body, headers=dict(headers))
            answer = connection.getresponse()
            read = answer.read(self.bounds.answer_bytes)
            connection.uncut_require()  # which looks like the end of an answer
            return Answer(answer.status, read, answer.getheader("Retry-After", "") or "")
        except (OSError, http.client.HTTPException, ValueError):
            connection.uncut_require()
            raise
        finally:
            watch.cancel()
            connection.close()

    def _connect(self, connection: "_Connection") -> None:
        """The socket is the connection's before the handshake: so that can be cut, too."""
        addresses = self._allowed(self._looked_up(connection))
        plain = connection.sock = _connected(addresses, connection)
        connection.uncut_require()
        if connection.secure:
            wrapped = connection.sock = (self.tls or _public_tls()).wrap_socket(
                plain, server_hostname=connection.host, do_handshake_on_connect=False
            )
            wrapped.do_handshake()

    def _looked_up(self, connection: "_Connection") -> Sequence[SocketAddress]:
        found = _look_ups.submit(self.resolver, connection.host, connection.port)
        try:
            return found.result(timeout=connection.left)
        except TooLate:
            found.cancel()
            raise TimeoutError from None
        except (OSError, UnicodeError):
            raise NameUnknown from None

    def _allowed(self, found: Sequence[SocketAddress]) -> list[SocketAddress]:
        """Those that something may be sent to, in the resolver's order."""
        allowed, reason = [], "nothing"
        for family, address in found:
            refused = address_refused(ip_address(_number(address)), allow_private=self.allow_private)
            reason = refused or reason
            if not refused:
                allowed.append((family, address))
        if not allowed:
            raise AddressRefused(reason)
        return allowed


def _number(address: Any) -> str:
    """Without the zone of a link-local one."""
    return str(address[0]).partition("%")[0]


def _connected(addresses: Sequence[SocketAddress], connection: "_Connection") -> socket.socket:
    """The first that answers, each tried for its share of the time."""
    error: OSError = OSError("there is no address")
    patience = min(connection.bounds.each, connection.left)
    for family, address in addresses[:_TRIED_MOST]:
        found = socket.socket(family, socket.SOCK_STREAM)
        found.settimeout(patience / min(len(addresses), _TRIED_MOST))
        try:
            found.connect(address)
        except OSError as this:
            found.close()
            error = this
        else:
            found.settimeout(connection.bounds.each)
            return found
    raise error


class _Connection(http.client.HTTPConnection):
    """Speaks HTTP over the socket it is given, and can be cut from another thread."""

    auto_open = 0  # it never connects by itself: only what was checked is used

    def __init__(self, url: str, bounds: Bounds) -> None:
        parts = urlsplit(url)
        self.secure = parts.scheme == "https"
        self.default_port = 443 if self.secure else 80  # which the header Host leaves out
        self.target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self.bounds = bounds
        self._ends = time.monotonic() + bounds.whole
        self._was_cut = False
        # a port is always given: it would be looked for in an IPv6 address otherwise
        super().__init__(parts.hostname or "", parts.port or self.default_port, timeout=bounds.each)

    @property
    def left(self) -> float:
        """Seconds for all that is still to be done."""
        return max(self._ends - time.monotonic(), 0.01)

    def watch(self) -> threading.Timer:
        """Cuts it when its time is over: the socket bounds each single wait, and this all of them together."""
        timer = threading.Timer(self.left, self._cut)
        timer.daemon = True
        timer.start()
        return timer

    def _cut(self) -> None:
        self._was_cut = True
        if self.sock is not None:
            with suppress(OSError):  # it is closed already
                self.sock.shutdown(socket.SHUT_RDWR)

    def uncut_require(self) -> None:
        """Raises TimeoutError where it was cut."""
        if self._was_cut:
            raise TimeoutError


@lru_cache(maxsize=1)
def _public_tls() -> ssl.SSLContext:
    return ssl.create_default_context()
