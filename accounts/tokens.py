"""How a token with a stored row is written, and what of it is stored."""

import re
import secrets
import string
from dataclasses import dataclass, field
from typing import ClassVar, Final, Self

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

_WRITTEN: Final = re.compile(r"([a-z]{3})_([a-z0-9]{8})_([A-Za-z0-9_-]{20,100})")
_PREFIX_LETTERS: Final = string.ascii_lowercase + string.digits


@dataclass(frozen=True)
class TokenText:
    """An access token as its holder has it: `mar_PREFIX_SECRET`. Its repr does not show the secret.

    A subclass is another kind, with a word of its own before it and digests that fit no other kind's.
    """

    kind: ClassVar[str] = "mar"
    salt: ClassVar[str] = "marina.access-token"

    prefix: str
    secret: str = field(repr=False)

    @classmethod
    def new(cls) -> Self:
        """A new token, with 256 bits of randomness in its secret."""
        prefix = "".join(secrets.choice(_PREFIX_LETTERS) for _ in range(8))
        return cls(prefix, secrets.token_urlsafe(32))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The token that is written there; None where it is not written like one."""
        match = _WRITTEN.fullmatch(text)
        return cls(match[2], match[3]) if match and match[1] == cls.kind else None

    @property
    def text(self) -> str:
        """What the holder sends."""
        return f"{self.kind}_{self.prefix}_{self.secret}"

    @property
    def digest(self) -> str:
        """HMAC-SHA256 of the secret, with a key derived from SECRET_KEY: of no use to who only reads the database."""
        return self._digest_with(settings.SECRET_KEY)

    def has_digest(self, digest: str) -> bool:
        """Whether the stored digest is this token's, also after SECRET_KEY moved to SECRET_KEY_FALLBACKS."""
        keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
        return any([constant_time_compare(self._digest_with(key), digest) for key in keys])  # noqa: C419 (all are tried)

    def _digest_with(self, key: str) -> str:
        return salted_hmac(self.salt, f"{self.prefix}.{self.secret}", secret=key, algorithm="sha256").hexdigest()
