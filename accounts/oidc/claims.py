"""What an issuer says of a person: an ID token, verified, and what its userinfo adds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jwt

from accounts.oidc.issuers import OidcIssuer

# Signatures that only the issuer can make. HS256 would need nothing but the client's secret.
ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
)
LEEWAY_SECONDS: Final = 60
"""By so much the clocks of Marina and the issuer may differ."""

GROUPS_MOST: Final = 2000


class ClaimsRefused(Exception):
    """The issuer's answer cannot be believed or read; the text says why and quotes no token."""


@dataclass(frozen=True)
class Claims:
    """Who signed in, as the issuer says."""

    issuer: str
    subject: str
    """Names the person at this issuer, for ever."""

    handle: str = ""
    name: str = ""
    email: str = ""
    email_verified: bool = False
    groups: frozenset[str] = frozenset()
    nonce: str = field(default="", repr=False)


def id_token_verify(token: str, *, issuer: OidcIssuer, keys: Mapping[str, Any]) -> dict[str, Any]:
    """The claims of an ID token that this issuer signed for us and that has not ended. `keys` is its JWKS.

    Raises ClaimsRefused.
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key=_key(token, keys),
            algorithms=list(ALGORITHMS),
            audience=issuer.client_id,
            leeway=LEEWAY_SECONDS,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
    except jwt.PyJWTError as error:
        raise ClaimsRefused(f"its ID token is not valid ({type(error).__name__})") from None
    if str(claims["iss"]).rstrip("/") != issuer.issuer:
        raise ClaimsRefused("its ID token names another issuer")
    # of a token for several, only the one it was issued to may use it
    if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != issuer.client_id:
        raise ClaimsRefused("its ID token was issued to another client")
    return claims


def _key(token: str, keys: Mapping[str, Any]) -> jwt.PyJWK:
    header = jwt.get_unverified_header(token)
    name, algorithm = header.get("kid"), header.get("alg")
    if algorithm not in ALGORITHMS:
        raise ClaimsRefused("its ID token is not signed by a method that only the issuer can use")
    offered = keys.get("keys")
    named = [
        key
        for key in (offered if isinstance(offered, list) else [])
        if isinstance(key, Mapping)
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (name is None or key.get("kid") == name)
    ]
    if len(named) != 1:
        raise ClaimsRefused("the key of its ID token is not among its keys")
    return jwt.PyJWK(dict(named[0]), algorithm=algorithm)


def claims_read(verified: Mapping[str, Any], userinfo: Mapping[str, Any], *, issuer: OidcIssuer) -> Claims:
    """Both in one; where they differ, the signed token counts. Raises ClaimsRefused where they are of two people."""
    subject = verified["sub"]
    if not isinstance(subject, str) or not 1 <= len(subject) <= 255:
        raise ClaimsRefused("its ID token has no usable subject")
    if userinfo and userinfo.get("sub") != subject:
        raise ClaimsRefused("its ID token and its userinfo are of two people")
    said = {**userinfo, **verified}
    return Claims(
        issuer=issuer.issuer,
        subject=subject,
        handle=_text(said.get("preferred_username")),
        name=_text(said.get("name"))[:150],
        email=_text(said.get("email"))[:254],
        email_verified=_email_verified(said.get("email"), verified, userinfo),
        groups=_groups(said, issuer.groups_claim),
        nonce=_text(verified.get("nonce")),
    )


def _email_verified(email: object, *documents: Mapping[str, Any]) -> bool:
    """What the first that speaks of it says, of this very address: another one's proof is none of it."""
    told = [each["email_verified"] for each in documents if each.get("email") == email and "email_verified" in each]
    return bool(told) and told[0] is True


def _text(value: object) -> str:
    return "".join(each for each in value if each.isprintable()).strip() if isinstance(value, str) else ""


def _groups(said: Mapping[str, Any], claim: str) -> frozenset[str]:
    found: Any = said.get(claim)
    if found is None and "." in claim:
        found = said
        for part in claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        found = [found]
    if not isinstance(found, list):
        return frozenset()
    return frozenset(each for each in found[:GROUPS_MOST] if isinstance(each, str) and each)
