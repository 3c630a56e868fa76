"""Writes every stored secret anew with the first of MARINA_ENCRYPTION_KEYS."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from clusters.encryption import encrypter
from clusters.models import HostCredential


class Command(BaseCommand):
    """Put the new key first in MARINA_ENCRYPTION_KEYS, restart everything, run this, then take the old key away."""

    help = "Encrypt every stored credential anew with the first of MARINA_ENCRYPTION_KEYS."

    def handle(self, *args: Any, **options: Any) -> None:
        keys = encrypter()
        with transaction.atomic():
            rows = list(HostCredential.objects.select_for_update())
            for row in rows:
                row.ciphertext = row.ciphertext and keys.rotate(bytes(row.ciphertext))
                row.candidate = row.candidate and keys.rotate(bytes(row.candidate))
            HostCredential.objects.bulk_update(rows, ["ciphertext", "candidate"])
        self.stdout.write(f"{len(rows)} credentials are now encrypted with the first key.")
