"""Writes what accounts keeps encrypted anew with the first key."""

from typing import Any, Final

from allauth.mfa.models import Authenticator
from cryptography.fernet import InvalidToken

from accounts.encryption import encrypter
from accounts.errors import Conflict

_SECRET: Final = ("secret", "seed")
"""What is encrypted in an authenticator's data: a TOTP seed, the seed of recovery codes."""


def second_factors_rotate() -> int:
    """Encrypts the seeds of second factors anew; says how many. Must run in a transaction.

    Raises Conflict, naming the user, where none of the keys opens one.
    """
    rows = list(Authenticator.objects.select_for_update(of=("self",)).select_related("user"))
    for row in rows:
        _rotate(row)
    Authenticator.objects.bulk_update(rows, ["data"])
    return len(rows)


def _rotate(row: Any) -> None:
    for name in _SECRET:
        if name in row.data:
            try:
                row.data[name] = encrypter().rotate(row.data[name].encode()).decode()
            except InvalidToken:
                whose = row.user.handle
                raise Conflict(
                    f"None of MARINA_ENCRYPTION_KEYS opens the second factor of {whose}; nothing was changed.",
                    hint="Put the key with which it was written back into the list, or remove that second factor.",
                ) from None
