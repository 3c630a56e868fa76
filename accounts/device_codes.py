"""The two codes of a device login: the long one the program keeps, the short one a person reads and types."""

import re
import secrets
from typing import Final

from django.conf import settings
from django.utils.crypto import salted_hmac

_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""Consonants without Y: nothing is mistaken for a digit, and no words come about (RFC 8628, 6.1)."""

_SALT: Final = "marina.device-login"


def device_code_new() -> str:
    """256 bits of randomness."""
    return secrets.token_urlsafe(32)


def user_code_new() -> str:
    """Eight letters as people read them: BCDF-GHJK."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def user_code_read(text: str) -> str:
    """What somebody typed, as `user_code_new` writes it; empty where it cannot be a code."""
    letters = re.sub(r"[\s_-]", "", text).upper()
    return f"{letters[:4]}-{letters[4:]}" if re.fullmatch(f"[{_LETTERS}]{{8}}", letters) else ""


def code_digest(code: str) -> str:
    """What is stored and looked for instead of the code."""
    return salted_hmac(_SALT, code, secret=settings.SECRET_KEY, algorithm="sha256").hexdigest()
