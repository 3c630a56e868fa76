"""Encryption of what Marina must keep secret: MultiFernet, with the keys from the environment."""

from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def encrypter() -> MultiFernet:
    """The configured keys: the first encrypts, all decrypt."""
    return _encrypter(tuple(settings.MARINA_ENCRYPTION_KEYS))


def text_encrypt(text: str) -> str:
    """A short secret (the seed of a second factor) as text that can be stored."""
    return encrypter().encrypt(text.encode()).decode()


def text_decrypt(ciphertext: str) -> str:
    """What `text_encrypt` was given. Raises ImproperlyConfigured where none of the keys opens it."""
    try:
        return encrypter().decrypt(ciphertext.encode()).decode()
    except InvalidToken:
        raise ImproperlyConfigured(
            "None of MARINA_ENCRYPTION_KEYS opens a stored second factor. Put the key with which it was written back "
            "into the list, or remove that person's second factor, so that they set up a new one."
        ) from None


@lru_cache(maxsize=4)
def _encrypter(keys: tuple[str, ...]) -> MultiFernet:
    if not keys:
        raise ImproperlyConfigured(
            "MARINA_ENCRYPTION_KEYS is not set. Make a key with "
            'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())" and keep it '
            "safe: without it the credentials of host clusters cannot be read again."
        )
    return MultiFernet([_fernet(key, number) for number, key in enumerate(keys, start=1)])


def _fernet(key: str, number: int) -> Fernet:
    try:
        return Fernet(key)
    except ValueError:
        raise ImproperlyConfigured(
            f"Number {number} of MARINA_ENCRYPTION_KEYS is no Fernet key: that is 32 bytes in URL-safe base64. Several "
            "keys are separated by commas, without blanks."
        ) from None
