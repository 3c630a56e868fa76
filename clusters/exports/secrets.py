"""What is kept secret of an export, with the keys of accounts.encryption: its file's key and the cluster's spec."""

import json
from typing import Any

from cryptography.fernet import InvalidToken
from django.core.exceptions import ImproperlyConfigured

from accounts.encryption import encrypter
from clusters.models import Export


def key_encrypt(key: bytes) -> bytes:
    """A file's key as ciphertext for Export."""
    return encrypter().encrypt(key)


def key_of(export: Export) -> bytes:
    """The key of a Complete export's file. ValueError of one that has no file."""
    return _decrypted(export, export.key)


def spec_encrypt(spec: dict[str, Any]) -> bytes:
    """What the cluster was like, as ciphertext for Export."""
    return encrypter().encrypt(json.dumps(spec, sort_keys=True).encode())


def spec_of(export: Export) -> dict[str, Any]:
    """What the cluster was like, for who makes it again. ValueError of one that has no file."""
    spec: dict[str, Any] = json.loads(_decrypted(export, export.spec))
    return spec


def _decrypted(export: Export, ciphertext: bytes | memoryview | None) -> bytes:
    if ciphertext is None:
        raise ValueError(f"{export} is {export.state} and holds nothing")
    try:
        return encrypter().decrypt(bytes(ciphertext))
    except InvalidToken:
        raise ImproperlyConfigured(
            f"None of MARINA_ENCRYPTION_KEYS opens export {export.pk}. Put the key with which it was written back into "
            "the list."
        ) from None
