"""Webhooks' secrets: made, kept encrypted, and used for signatures by the Standard Webhooks convention."""

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography.fernet import InvalidToken
from django.core.exceptions import ImproperlyConfigured
from standardwebhooks.webhooks import Webhook as Signer

from accounts.encryption import encrypter

PREFIX: Final = "whsec_"
_BYTES: Final = 32  # the convention asks for 24 to 64


def secret_make() -> str:
    """A new one, as receivers put it into their library."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def secret_encrypt(secret: str) -> bytes:
    """As it is stored."""
    return encrypter().encrypt(secret.encode())


def secret_decrypt(ciphertext: bytes | memoryview) -> str:
    """What was encrypted. Raises ImproperlyConfigured where none of the keys opens it."""
    try:
        return encrypter().decrypt(bytes(ciphertext)).decode()
    except InvalidToken:
        raise ImproperlyConfigured(
            "None of MARINA_ENCRYPTION_KEYS opens a webhook's stored secret. Put the key with which it was written "
            "back into the list, or rotate the webhook's secret."
        ) from None


def signature(*, keys: Sequence[str], event_id: str, at: datetime, body: str) -> str:
    """The header `webhook-signature`: one signature for each of these secrets."""
    return " ".join(Signer(key).sign(msg_id=event_id, timestamp=at.astimezone(UTC), data=body) for key in keys)


def secret_cut(text: str, keys: Sequence[str]) -> str:
    """The text without any of these secrets, for a receiver that sends them back."""
    for key in keys:
        for part in (key, key.removeprefix(PREFIX)):
            text = text.replace(part, "[secret]")
    return text
