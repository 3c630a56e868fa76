"""What rows have in common: a UUIDv7 key, which sorts by the time it was made, that time, and for some an end."""

import uuid

from django.db import models
from uuid6 import uuid7


def new_id() -> uuid.UUID:
    """A UUIDv7 as the standard library's type, so that it equals what the database gives back."""
    return uuid.UUID(int=uuid7().int)


class TransactionNumber(models.Func):
    """The number of the transaction that writes: those below pg_snapshot_xmin() have all ended."""

    function = "pg_current_xact_id"
    template = "%(function)s()::text::bigint"
    output_field = models.BigIntegerField()


class Row(models.Model):
    """Base of Marina's models."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(auto_now_add=True, editable=False)

    class Meta:
        abstract = True


class Ending(models.Model):
    """Base of what may end by itself, whether or not anybody clears it away."""

    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="The latest end of the roles that give it; empty: never."
    )

    class Meta:
        abstract = True
