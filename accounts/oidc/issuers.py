"""The issuers of the settings: one by OIDC_ISSUER and its fellows, more by the JSON list OIDC_MORE_ISSUERS."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

FIRST: Final = "sso"
"""The id of OIDC_ISSUER in addresses."""

_ID: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class OidcIssuer:
    """An issuer, and how far it is trusted."""

    id: str
    """Stands in the callback's address, /sign-in/oidc/ID/callback."""

    issuer: str
    """Its address: below it lies /.well-known/openid-configuration."""

    client_id: str
    client_secret: str = field(default="", repr=False)
    name: str = "single sign-on"
    """What the button says after "Sign in with"."""

    scopes: tuple[str, ...] = ("openid", "profile", "email")
    groups_claim: str = "groups"
    """Where the groups stand; a.b is b in a, where there is no claim called a.b."""

    staff_group: str = ""
    """Whoever is in it is platform staff. Empty: the issuer makes nobody platform staff."""

    trust_email: bool = False
    """A verified e-mail address of this issuer opens the one account that has that address."""

    second_factor: bool = False
    """The issuer asks for a second factor, so Marina does not ask for its own."""


def issuers() -> tuple[OidcIssuer, ...]:
    """All that are configured. Raises ImproperlyConfigured, naming the setting, for what cannot work."""
    first = [_first()] if settings.OIDC_ISSUER else []
    more = (_further(each, f"OIDC_MORE_ISSUERS[{number}]") for number, each in enumerate(_more()))
    found = (*first, *more)
    for what in ("id", "issuer"):
        values = [getattr(each, what) for each in found]
        if len(set(values)) != len(values):
            raise ImproperlyConfigured(f"Two OpenID Connect issuers have the same {what}.")
    return found


def issuer_of(text: str) -> OidcIssuer | None:
    """The issuer with this id or address."""
    return next((each for each in issuers() if text in (each.id, each.issuer)), None)


def _more() -> list[object]:
    try:
        found = json.loads(settings.OIDC_MORE_ISSUERS or "[]")
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise ImproperlyConfigured("OIDC_MORE_ISSUERS is no JSON list of objects.")
    return found


def _first() -> OidcIssuer:
    return _checked(
        OidcIssuer(
            id=FIRST,
            issuer=settings.OIDC_ISSUER.rstrip("/"),
            client_id=settings.OIDC_CLIENT_ID,
            client_secret=settings.OIDC_CLIENT_SECRET,
            name=settings.OIDC_NAME,
            scopes=tuple(settings.OIDC_SCOPES),
            groups_claim=settings.OIDC_GROUPS_CLAIM,
            staff_group=settings.OIDC_STAFF_GROUP,
            trust_email=settings.OIDC_TRUST_EMAIL,
            second_factor=settings.OIDC_SECOND_FACTOR,
        ),
        "OIDC_ISSUER",
    )


def _further(given: object, where: str) -> OidcIssuer:
    names = {each.name for each in fields(OidcIssuer)}
    if not isinstance(given, Mapping) or not {"id", "issuer", "client_id"} <= set(given):
        raise ImproperlyConfigured(f"{where} needs `id`, `issuer` and `client_id`.")
    if unknown := set(given) - names:
        raise ImproperlyConfigured(f"{where} has unknown members: {', '.join(sorted(unknown))}.")
    values: dict[str, Any] = dict(given)
    for name in ("trust_email", "second_factor"):
        if not isinstance(values.get(name, False), bool):
            raise ImproperlyConfigured(f"{where}.{name} is neither true nor false.")
    for name in names - {"scopes", "trust_email", "second_factor"}:
        if not isinstance(values.get(name, ""), str):
            raise ImproperlyConfigured(f"{where}.{name} is no text.")
    scopes = values.get("scopes", [])
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise ImproperlyConfigured(f"{where}.scopes is no list of texts.")
    if scopes:
        values["scopes"] = tuple(scopes)
    return _checked(OidcIssuer(**{**values, "issuer": values["issuer"].rstrip("/")}), where)


def _checked(issuer: OidcIssuer, where: str) -> OidcIssuer:
    if not _ID.fullmatch(issuer.id):
        raise ImproperlyConfigured(f"{where}.id has 1 to 32 lower-case letters, digits and dashes.")
    if not _safe(issuer.issuer):
        raise ImproperlyConfigured(f"{where} is no https address (http is for this machine only).")
    if not issuer.client_id:
        raise ImproperlyConfigured(f"{where} has no client id: register Marina at the issuer first.")
    if "openid" not in issuer.scopes:
        raise ImproperlyConfigured(f"{where}: `openid` must be among the scopes.")
    return issuer


def _safe(address: str) -> bool:
    parts = urlsplit(address)
    if parts.scheme == "http":
        return parts.hostname == "localhost" or _is_loopback(parts.hostname or "")
    return parts.scheme == "https" and bool(parts.hostname) and not parts.query and not parts.fragment


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
