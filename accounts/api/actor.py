"""Who acts, as the services want to know it, from a request."""

from dataclasses import replace
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request

from accounts.models import AccessToken, User
from accounts.services.audit import Actor


def user_of(request: Request | HttpRequest) -> User:
    """The person who asks. Raises NotAuthenticated where nobody signed in."""
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        raise NotAuthenticated
    return user


def actor_of(request: Request | HttpRequest) -> Actor:
    """The person with token, address and request id, for access checks and the audit log."""
    token = getattr(request, "auth", None)
    return replace(
        sender_of(request),
        user=user_of(request),
        name="",
        token_prefix=token.prefix if isinstance(token, AccessToken) else "",
    )


def sender_of(request: Request | HttpRequest) -> Actor:
    """Where a request comes from, before it is known, or without that it is known, from whom."""
    return Actor(
        user=None,
        name="unknown",
        address=address_of(request),
        request_id=request_id_of(request),
        source=source_of(request),
        user_agent=user_agent_of(request),
    )


def source_of(request: Request | HttpRequest) -> str:
    """Through which interface: admin, the command line (cli), another program (api), or pages (web)."""
    if request.path.startswith("/admin/"):
        return "admin"
    if user_agent_of(request).startswith("marina-cli/"):
        return "cli"
    if not request.path.startswith("/api/"):
        return "web"  # also the first request of a browser, which has no cookie yet
    return "api" if request.META.get("HTTP_AUTHORIZATION") or not request.META.get("HTTP_COOKIE") else "web"


def user_agent_of(request: Request | HttpRequest) -> str:
    """What the sender's program calls itself, as far as it can be shown."""
    text = str(request.META.get("HTTP_USER_AGENT", ""))
    return "".join(each for each in text if each.isprintable() and each.isascii())[:200]


def request_id_of(request: Request | HttpRequest) -> str:
    """The id that the middleware gave this request; empty where it did not run."""
    return str(request.META.get("marina.request_id", ""))


def address_of(request: Request | HttpRequest) -> str | None:
    """The sender's address. X-Forwarded-For counts only behind our own proxy, and then only what that proxy wrote."""
    address = str(request.META.get("REMOTE_ADDR", ""))
    if settings.SECURE_PROXY_SSL_HEADER:
        address = str(request.META.get("HTTP_X_FORWARDED_FOR", address)).split(",")[-1].strip()
    try:
        return str(ip_address(address))
    except ValueError:
        return None  # a Unix socket has none
