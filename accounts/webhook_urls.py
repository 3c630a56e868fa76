"""What can be a webhook's address, when it is given. What its name leads to is looked at when something is sent."""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from accounts.errors import InvalidInput
from accounts.outgoing_addresses import address_refused

_NUMERIC: Final = re.compile(r"(\d+|0x[0-9a-f]*)\Z")
_LENGTH: Final = 2000


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
