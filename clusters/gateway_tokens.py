"""How the gateway's own tokens are written: short-lived ones, which are signed, and static ones, which have a row."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Self
from uuid import UUID

import jwt
from django.conf import settings
from django.utils.crypto import salted_hmac

from accounts.tokens import TokenText
from clusters.access import KUBECONFIG_LEVELS

SIGNED: Final = "mgt_"
"""Before the signed token, so that what looks for secrets in files and logs knows it."""
LONGEST: Final = 2000
"""Characters; what is longer is not looked at."""

_SALT: Final = "marina.gateway-token"
_ALGORITHM: Final = "HS256"
_ISSUER: Final = "marina"
_AUDIENCE: Final = "marina-gateway"
_CLAIMS: Final = ("sub", "cluster", "level", "iat", "exp", "jti")


class StaticTokenText(TokenText):
    """A static token as its holder has it: `mgs_PREFIX_SECRET`."""

    kind: ClassVar[str] = "mgs"
    salt: ClassVar[str] = "marina.gateway-token.static"


@dataclass(frozen=True, kw_only=True)
class SignedToken:
    """What a short-lived token says. It is believed for who and where; whether they still may is asked at each use.

    `access_token_id`: of the access token that it was given for; None where a person's session asked for it.
    """

    id: str
    user_id: UUID
    cluster_id: UUID
    level: str
    access_token_id: UUID | None
    issued_at: datetime
    expires_at: datetime

    def written(self) -> str:
        """The token itself: it opens the cluster, so it is a secret."""
        claims = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": str(self.user_id),
            "cluster": str(self.cluster_id),
            "level": self.level,
            "token": str(self.access_token_id) if self.access_token_id else None,
            "iat": int(self.issued_at.timestamp()),
            "exp": int(self.expires_at.timestamp()),
            "jti": self.id,
        }
        return SIGNED + jwt.encode(claims, _key(settings.SECRET_KEY), algorithm=_ALGORITHM)

    @classmethod
    def read(cls, text: str) -> Self | None:
        """What a token of this Marina says, also of one that has expired; None for everything else."""
        if not text.startswith(SIGNED) or len(text) > LONGEST:
            return None
        for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
            claims = _claims(text.removeprefix(SIGNED), _key(secret))
            if claims is not None:
                return cls._of(claims)
        return None

    @classmethod
    def _of(cls, claims: dict[str, Any]) -> Self | None:
        try:
            token = claims.get("token")
            return cls(
                id=str(claims["jti"]),
                user_id=UUID(claims["sub"]),
                cluster_id=UUID(claims["cluster"]),
                level=KUBECONFIG_LEVELS[KUBECONFIG_LEVELS.index(claims["level"])],
                access_token_id=UUID(token) if token is not None else None,
                issued_at=datetime.fromtimestamp(claims["iat"], UTC),
                expires_at=datetime.fromtimestamp(claims["exp"], UTC),
            )
        except (AttributeError, OverflowError, OSError, TypeError, ValueError):
            return None  # signed by an older or newer Marina, which wrote something else


def _claims(text: str, key: bytes) -> dict[str, Any] | None:
    # the time is compared by who uses it: with a `now` that is passed in
    checks: Any = {"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False, "verify_nbf": False}
    try:
        return dict(jwt.decode(text, key, algorithms=[_ALGORITHM], audience=_AUDIENCE, issuer=_ISSUER, options=checks))
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return None


def _key(secret: str) -> bytes:
    """Of its own, so that nothing else that is signed with SECRET_KEY passes for one of these tokens."""
    return salted_hmac(_SALT, "signing", secret=secret, algorithm="sha256").digest()
