"""A host's connection as ciphertext, with the keys of accounts.encryption."""

from cryptography.fernet import InvalidToken
from django.core.exceptions import ImproperlyConfigured

from accounts.encryption import encrypter
from clusters.connection import HostConnection


def connection_encrypt(connection: HostConnection) -> bytes:
    """The connection as ciphertext for HostCredential."""
    return encrypter().encrypt(connection.to_json().encode())


def connection_decrypt(ciphertext: bytes) -> HostConnection:
    """The connection of a ciphertext. Raises ImproperlyConfigured where none of the keys opens it."""
    try:
        return HostConnection.from_json(encrypter().decrypt(bytes(ciphertext)))
    except InvalidToken:
        raise ImproperlyConfigured(
            "None of MARINA_ENCRYPTION_KEYS opens a host's stored credential. Put the key with which it was written "
            "back into the list, or connect the host anew."
        ) from None
