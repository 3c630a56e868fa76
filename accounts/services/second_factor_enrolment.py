"""A seed on its way into somebody's app: handed over sealed, so that nothing is kept before a code proves it."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.fernet import InvalidToken

from accounts.encryption import encrypter
from accounts.errors import InvalidInput
from accounts.models import User
from accounts.services.second_factors import second_factor_may_begin, second_factor_secret_new

HOLDS: Final = timedelta(minutes=15)
_PURPOSE: Final = "second-factor"
_REFUSED: Final = "This was not begun for you, or too long ago."


@dataclass(frozen=True)
class Enrolment:
    """A new seed, and the same sealed for one person until `ends`."""

    secret: str = field(repr=False)
    sealed: str = field(repr=False)
    ends: datetime


def enrolment_begin(*, user: User, now: datetime) -> Enrolment:
    """A seed for an app. Raises Conflict where there is a second factor already."""
    second_factor_may_begin(user)
    secret, ends = second_factor_secret_new(), now + HOLDS
    told = {"for": _PURPOSE, "user": str(user.pk), "ends": ends.timestamp(), "secret": secret}
    return Enrolment(secret, encrypter().encrypt(json.dumps(told).encode()).decode(), ends)


def enrolment_open(*, user: User, sealed: str, now: datetime) -> str:
    """The seed. Raises InvalidInput for what was sealed for somebody else, or too long ago, or by nobody."""
    try:
        told: Any = json.loads(encrypter().decrypt(sealed.encode()))
    except (InvalidToken, ValueError):
        told = None
    ours = isinstance(told, dict) and told.get("for") == _PURPOSE and told.get("user") == str(user.pk)
    if not ours or float(told["ends"]) <= now.timestamp():
        raise InvalidInput(_REFUSED, field="enrolment", accepted="what /second-factor/begin gave you")
    return str(told["secret"])
