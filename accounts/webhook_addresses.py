"""Where webhooks may go: the form of an address when it is given, and the numbers it leads to when it is used."""

import re
import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final
from urllib.parse import urlsplit

from accounts.errors import InvalidInput

Address = IPv4Address | IPv6Address
SocketAddress = tuple[int, Any]
"""A family and an address as sockets take it."""
Resolver = Callable[[str, int], Sequence[SocketAddress]]

_NAT64: Final = ip_network("64:ff9b::/96")
_METADATA: Final = frozenset(
    ip_address(text)
    for text in (
        "168.63.129.16",  # Azure: a public address that each machine there sees for itself
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle
        "fd00:ec2::254",  # AWS
        "fd20:ce::254",  # Google
    )
)
_NUMERIC: Final = re.compile(r"(\d+|0x[0-9a-f]*)\Z")
_LENGTH: Final = 2000


def resolve(host: str, port: int) -> Sequence[SocketAddress]:
    """What the system's resolver says. Raises OSError where it says nothing."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


def address_refused(address: Address, *, allow_private: bool) -> str:
    """Why nothing is delivered to this address; empty where it may be.

    With `allow_private` loopback and private networks may be; link-local, metadata services and multicast never.
    """
    inner = _inside(address)
    if inner is not None:
        return address_refused(inner, allow_private=allow_private)
    if address in _METADATA or address.is_link_local:
        return "a link-local address or a cloud's metadata service"
    if address.is_multicast or address.is_unspecified or address == ip_address("255.255.255.255"):
        return "no address of a single machine"
    if allow_private:
        return ""
    if address.is_loopback:
        return "a loopback address"
    return "" if address.is_global else "a private or reserved address"


def _inside(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for, by which way ever."""
    if not isinstance(address, IPv6Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    compatible = IPv4Address(int(address)) if 1 < int(address) <= 0xFFFFFFFF else None
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or compatible


def url_check(url: str, *, allow_private: bool) -> None:
    """Raises InvalidInput for what can be no webhook's address. Names are not looked up before something is sent."""
    accepted = "an https address like https://example.org/hooks/marina"
    reason = _url_fault(url, allow_private)
    if reason:
        raise InvalidInput(reason, field="url", accepted=accepted)


def _url_fault(url: str, allow_private: bool) -> str:
    if len(url) > _LENGTH or not url.isascii() or not url.isprintable() or " " in url:
        return f"An address has at most {_LENGTH} visible ASCII characters."
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "This is no address."
    if parts.scheme != "https" and not (parts.scheme == "http" and allow_private):
        return "Webhooks go to https addresses only."
    if not host or port == 0:
        return "The address names no machine."
    if "@" in parts.netloc:
        return "An address with a name or password in it is shown where these should not be."
    if parts.fragment:
        return "The part behind # would never be sent."
    return _host_fault(host, allow_private)


def _host_fault(host: str, allow_private: bool) -> str:
    try:
        refused = address_refused(ip_address(host), allow_private=allow_private)
    except ValueError:
        if _NUMERIC.match(host.rstrip(".").rpartition(".")[2]):
            return f"{host[:60]} is a number in a form that is not accepted."
        refused = "" if allow_private or not _local(host) else "a name of this machine"
    return f"Webhooks do not go to {host[:60]}: it is {refused}." if refused else ""


def _local(host: str) -> bool:
    name = host.rstrip(".")
    return name == "localhost" or name.endswith(".localhost")
