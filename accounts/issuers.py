"""The keys of other issuers (OIDC): fetched from where the issuer says that they are, and kept for a while.

Only issuers that a rule names are asked. An address inside our own network is not (unless a setting allows it), neither
by name nor by a redirect, which is never followed; and nothing takes longer than a few seconds.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import jwt
from django.conf import settings

from accounts.errors import MarinaError
from accounts.issuer_fetch import FetchFailed, document_fetch

ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Signatures by a private key that only the issuer has; never `none`, never a shared secret."""

KEPT_SECONDS: Final = 600.0
FAILURE_KEPT_SECONDS: Final = 15.0
UNKNOWN_KEY_SECONDS: Final = 10.0
"""So long after its keys were fetched an issuer is not asked again for a key that was not among them."""
TURN_SECONDS: Final = 8.0
"""So long a request waits for another one that is asking the same issuer."""
DISCOVERY: Final = "/.well-known/openid-configuration"
KEYS_MOST: Final = 100


class IssuerUnreachable(MarinaError):
    """The issuer's keys cannot be had now."""

    code = "issuer-unreachable"
    status = 503


def address_fault(url: str) -> str:
    """Why this cannot be the address of an issuer or of its keys; empty where it can."""
    try:
        parts = urlsplit(url)
        plain = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return "it is no address"
    if not plain or not url.isascii() or not url.isprintable() or " " in url:
        return "it is no address"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "it has a user name, a password or a fragment in it"
    if parts.scheme == "https" or (parts.scheme == "http" and _may_be_plain(parts)):
        return ""
    return "it does not begin with https://"


def _may_be_plain(parts: SplitResult) -> bool:
    return bool(settings.FEDERATION_ALLOW_PRIVATE_ISSUERS) and parts.hostname in ("localhost", "127.0.0.1", "::1")


@dataclass
class _Known:
    """What an issuer last said, or why it said nothing."""

    at: float
    keys: list[dict[str, Any]] = field(default_factory=list)
    failure: str = ""


class IssuerKeys:
    """Of one process. `fetch` gets a document of an address; `clock` counts seconds."""

    def __init__(
        self,
        *,
        fetch: Callable[[str], bytes] = document_fetch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._turns: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def key(self, issuer: str, *, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """The issuer's key of this id, for this algorithm; None where it has none. IssuerUnreachable where it is away.

        A key that is not known yet is looked for once more, since issuers change theirs.
        """
        known = self._kept(issuer, most=KEPT_SECONDS)
        found = _find(known.keys, kid, algorithm)
        if found is None and self._clock() - known.at >= UNKNOWN_KEY_SECONDS:
            found = _find(self._kept(issuer, most=UNKNOWN_KEY_SECONDS).keys, kid, algorithm)
        return found

    def _kept(self, issuer: str, *, most: float) -> _Known:
        """At most so many seconds old."""
        with self._lock:
            turn = self._turns.setdefault(issuer, threading.Lock())
        if not turn.acquire(timeout=TURN_SECONDS):
            raise IssuerUnreachable(f"The issuer {issuer} takes too long to answer.", hint="Try again soon.")
        try:
            known = self._known.get(issuer)
            limit = FAILURE_KEPT_SECONDS if known and known.failure else most
            if known is None or self._clock() - known.at >= limit:
                known = self._known[issuer] = self._ask(issuer)
        finally:
            turn.release()
        if known.failure:
            raise IssuerUnreachable(
                f"The keys of the issuer {issuer} cannot be had: {known.failure}.",
                hint="Try again soon; where it stays, look whether the issuer answers and the rule names it rightly.",
            )
        return known

    def _ask(self, issuer: str) -> _Known:
        try:
            keys = self._keys_of(issuer)
        except FetchFailed as error:
            return _Known(self._clock(), failure=str(error))
        return _Known(self._clock(), keys=keys)

    def _keys_of(self, issuer: str) -> list[dict[str, Any]]:
        told = _object(self._fetch(issuer.removesuffix("/") + DISCOVERY), "what it says of itself")
        if told.get("issuer") != issuer:
            raise FetchFailed("it says that it is another issuer")
        address = told.get("jwks_uri")
        if not isinstance(address, str) or address_fault(address):
            raise FetchFailed("it does not say where its keys are")
        keys = _object(self._fetch(address), "its list of keys").get("keys")
        if not isinstance(keys, list):
            raise FetchFailed("its list of keys is none")
        return [each for each in keys[:KEYS_MOST] if isinstance(each, dict)]


def _object(document: bytes, what: str) -> dict[str, Any]:
    try:
        found = json.loads(document)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise FetchFailed(f"{what} is no JSON object")
    return found


def _find(keys: list[dict[str, Any]], kid: str | None, algorithm: str) -> jwt.PyJWK | None:
    """The key of this id that is made for this algorithm; without an id the only one that is."""
    fitting = [
        each
        for each in keys
        if each.get("use", "sig") == "sig"
        and each.get("alg", algorithm) == algorithm
        and each.get("kty") in ("RSA", "EC", "OKP")
        and (kid is None or each.get("kid") == kid)
    ]
    found = [key for each in fitting if (key := _key(each, algorithm)) is not None]
    return found[0] if len(found) == 1 else None


def _key(told: dict[str, Any], algorithm: str) -> jwt.PyJWK | None:
    try:
        return jwt.PyJWK.from_dict(told, algorithm=algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None


issuer_keys: Final = IssuerKeys()
"""This process's."""
