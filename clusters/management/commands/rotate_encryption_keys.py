"""Writes every stored secret anew with the first of MARINA_ENCRYPTION_KEYS."""

from typing import Any

from cryptography.fernet import InvalidToken
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts.encryption import encrypter
from accounts.errors import MarinaError
from accounts.services.encryption_keys import second_factors_rotate
from accounts.services.invitation_mails import invitation_links_rotate
from accounts.services.webhook_keys import webhook_secrets_rotate
from clusters.models import HostCredential
from clusters.services.export_keys import export_keys_rotate


class Command(BaseCommand):
    """Put the new key first in MARINA_ENCRYPTION_KEYS, restart everything, run this, then take the old key away."""

    help = "Encrypt every stored credential anew with the first of MARINA_ENCRYPTION_KEYS."

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            rows = list(HostCredential.objects.select_for_update(of=("self",)).select_related("host"))
            for row in rows:
                _rotate(row)
            HostCredential.objects.bulk_update(rows, ["ciphertext", "candidate"])
            webhooks, factors, links, exports = _others()
        self.stdout.write(f"{len(rows)} credentials are now encrypted with the first key.")
        self.stdout.write(f"So are the secrets of {webhooks} webhooks, and {factors} parts of second factors.")
        self.stdout.write(
            f"So are {links} links of invitations that wait to be mailed, and the keys of {exports} exports."
        )


def _others() -> tuple[int, int, int, int]:
    try:
        return webhook_secrets_rotate(), second_factors_rotate(), invitation_links_rotate(), export_keys_rotate()
    except MarinaError as error:
        raise CommandError(f"{error} {error.hint}") from None


def _rotate(row: HostCredential) -> None:
    keys = encrypter()
    try:
        row.ciphertext = row.ciphertext and keys.rotate(bytes(row.ciphertext))
        row.candidate = row.candidate and keys.rotate(bytes(row.candidate))
    except InvalidToken:
        raise CommandError(
            f"None of MARINA_ENCRYPTION_KEYS opens the credential of {row.host.name}; nothing was changed. Put the key "
            "with which it was written back into the list, or connect the host anew."
        ) from None
