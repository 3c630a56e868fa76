"""Writes the keys of exports anew with the first of MARINA_ENCRYPTION_KEYS."""

from cryptography.fernet import InvalidToken

from accounts.encryption import encrypter
from accounts.errors import Conflict
from clusters.models import Export


def export_keys_rotate() -> int:
    """Encrypts every export's key and spec anew; says of how many. Must run in a transaction. The files stay.

    Raises Conflict, naming the export, where none of the keys opens one.
    """
    rows = list(Export.objects.select_for_update().filter(key__isnull=False).only("key", "spec"))
    for row in rows:
        _rotate(row)
    Export.objects.bulk_update(rows, ["key", "spec"], batch_size=500)
    return len(rows)


def _rotate(row: Export) -> None:
    keys = encrypter()
    try:
        row.key = row.key and keys.rotate(bytes(row.key))
        row.spec = row.spec and keys.rotate(bytes(row.spec))
    except InvalidToken:
        raise Conflict(
            f"None of MARINA_ENCRYPTION_KEYS opens the export {row.pk}; nothing was changed.",
            hint="Put the key with which it was written back into the list, or delete that export.",
        ) from None
