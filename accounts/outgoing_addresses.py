"""Where requests may go whose address somebody else named (webhooks, issuers): the numbers that a name leads to."""

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final

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


def resolve(host: str, port: int) -> Sequence[SocketAddress]:
    """What the system's resolver says. Raises OSError where it says nothing."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


def address_refused(address: Address, *, allow_private: bool) -> str:
    """Why nothing is sent to this address; empty where it may be.

    With `allow_private` loopback and private networks are fine; link-local, metadata services and multicast never.
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
