"""How the secret of an invitation's link is written, and what of it is stored."""

import re
import secrets
from typing import Final

from django.conf import settings
from django.utils.crypto import salted_hmac

_WRITTEN: Final = re.compile(r"^[A-Za-z0-9_-]{43}\Z")
_SALT: Final = "marina.invitation"


def invitation_secret_new() -> str:
    """256 bits, to stand in a link."""
    return secrets.token_urlsafe(32)


def invitation_digest(secret: str) -> str:
    """HMAC-SHA256 with a key derived from SECRET_KEY: of no use to who only reads the database."""
    return _digest_with(secret, settings.SECRET_KEY)


def invitation_digests(secret: str) -> list[str]:
    """By which an invitation may be found, also after SECRET_KEY moved to SECRET_KEY_FALLBACKS; none for other text."""
    if not _WRITTEN.match(secret):
        return []
    return [_digest_with(secret, key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]


def invitation_link(secret: str) -> str:
    """What the person opens."""
    return f"{settings.PUBLIC_URL.rstrip('/')}/invitations/{secret}"


def _digest_with(secret: str, key: str) -> str:
    return salted_hmac(_SALT, secret, secret=key, algorithm="sha256").hexdigest()
