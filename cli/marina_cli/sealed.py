"""Opening what a worker sealed for this one run of the command (design: Sealed hand-over)."""

from __future__ import annotations

import base64
import binascii

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

from marina_cli.errors import CliError


class OneTimeKey:
    """An X25519 key that lives only in this process."""

    def __init__(self) -> None:
        self._private = PrivateKey.generate()

    @property
    def public(self) -> str:
        """The public half as the API takes it: base64 of 32 bytes."""
        return base64.b64encode(bytes(self._private.public_key)).decode()

    def open(self, sealed: str) -> str:
        """The text sealed to this key; CliError when it was sealed to another one or changed on the way."""
        try:
            return SealedBox(self._private).decrypt(base64.b64decode(sealed, validate=True)).decode()
        except (CryptoError, binascii.Error, UnicodeDecodeError, ValueError):
            raise CliError(
                "The server's answer was not sealed for this command.", hint="Run the same command again."
            ) from None
