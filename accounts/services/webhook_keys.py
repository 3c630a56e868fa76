"""Writes webhooks' secrets anew with the first of MARINA_ENCRYPTION_KEYS."""

from cryptography.fernet import InvalidToken

from accounts.encryption import encrypter
from accounts.errors import Conflict
from accounts.models import Webhook


def webhook_secrets_rotate() -> int:
    """Encrypts every secret of webhooks anew; says of how many. Must run in a transaction.

    Raises Conflict, naming the webhook, where none of the keys opens one.
    """
    rows = list(Webhook.objects.select_for_update())
    for row in rows:
        _rotate(row)
    Webhook.objects.bulk_update(rows, ["secret", "previous_secret"])
    return len(rows)


def _rotate(row: Webhook) -> None:
    keys = encrypter()
    try:
        row.secret = keys.rotate(bytes(row.secret))
        row.previous_secret = row.previous_secret and keys.rotate(bytes(row.previous_secret))
    except InvalidToken:
        raise Conflict(
            f"None of MARINA_ENCRYPTION_KEYS opens the secret of webhook {row.pk}; nothing was changed.",
            hint="Put the key with which it was written back into the list, or delete that webhook.",
        ) from None
