"""What changed since when: every row's revision, and what is remembered of rows that went.

A revision is the number of the transaction that wrote last. Triggers write it (accounts/revision_triggers.py), so it is
there whoever wrote: a service, a worker with plain SQL, or somebody in psql.
"""

from django.db import models


class Revised(models.Model):
    """Base of what can be listed with `?since=`."""

    changed_in = models.BigIntegerField(
        default=0, db_default=0, editable=False, db_index=True, help_text="The revision of its last change."
    )

    class Meta:
        abstract = True


class Tombstone(models.Model):
    """A row that went, kept for a week, with what tells who could see it. No foreign keys: these go as well."""

    kind = models.CharField(max_length=40)
    object_id = models.UUIDField()
    revision = models.BigIntegerField()
    organization_id = models.UUIDField(null=True)
    project_id = models.UUIDField(null=True)
    everybody = models.BooleanField(default=False)
    deleted_at = models.DateTimeField(db_index=True)

    class Meta:
        indexes = [models.Index(name="tombstone_since", fields=["kind", "revision", "object_id"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}"


class RightsChange(models.Model):
    """Something was changed of what a user may see: what they listed before has to be listed anew."""

    user_id = models.UUIDField()
    revision = models.BigIntegerField()
    changed_at = models.DateTimeField(db_index=True)

    class Meta:
        indexes = [models.Index(name="rights_change_since", fields=["user_id", "revision"])]

    def __str__(self) -> str:
        return f"{self.user_id} at {self.revision}"


class RevisionHorizon(models.Model):
    """One row: up to this revision, tombstones and changes of rights are forgotten."""

    revision = models.BigIntegerField()

    def __str__(self) -> str:
        return str(self.revision)
