"""The address of a Marina server, as typed and as used."""

from __future__ import annotations

import ipaddress

import httpx

from marina_cli.errors import UsageProblem


def server_address(text: str, *, insecure_http: bool = False) -> str:
    """The server's origin; a bare name means https, and http is for this machine only.

    Raises UsageProblem where the text is no address, or would send a token in clear text over a network.
    """
    text = text.strip().rstrip("/").removesuffix("/api/v1")
    try:
        url = httpx.URL(text if "://" in text else f"https://{text}")
    except httpx.InvalidURL:
        raise _malformed(text) from None
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
        raise _malformed(text)
    if url.scheme == "http" and not insecure_http and not is_loopback(url.host):
        raise UsageProblem(
            f"{url} is plain http: your password and token could be read on the way.",
            hint="Use https://, or --insecure-http if you accept that.",
        )
    return str(url).rstrip("/")


def _malformed(text: str) -> UsageProblem:
    return UsageProblem(f"{text!r} is no server address.", hint="Accepted: https://marina.example.org")


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
