"""What makes a change of the audit log show: rows are sealed in segments, each seal holding the one before."""

from django.db import models
from django.db.models.functions import Now

from accounts.models.audit import AuditEvent
from accounts.models.base import new_id


class AuditWaiting(models.Model):
    """An audit row that no segment holds yet. The database adds it with the row; sealing takes it away."""

    event_id = models.UUIDField(primary_key=True)
    organization_id = models.UUIDField(null=True)

    class Meta:
        indexes = [models.Index(fields=["organization_id", "event_id"], name="audit_waiting_turn")]

    def __str__(self) -> str:
        return str(self.event_id)


class AuditChain(models.Model):
    """Where the seals of one organization (none: of the platform) have got to. Its lock lets one at a time seal."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization_id = models.UUIDField(null=True)
    number = models.PositiveBigIntegerField(default=0, help_text="Of the last seal.")
    digest = models.CharField(max_length=64, blank=True, help_text="Of the last seal.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization_id"], name="audit_chain_once", nulls_distinct=False)
        ]

    def __str__(self) -> str:
        return f"{self.organization_id or 'platform'} {self.number}"


class AuditSeal(models.Model):
    """One segment. It stays when its rows were dropped, so that the chain can be followed from its beginning."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization_id = models.UUIDField(null=True)
    number = models.PositiveBigIntegerField(help_text="From 1, without a gap.")
    count = models.PositiveIntegerField(help_text="How many rows it holds.")
    first_event_id = models.UUIDField()
    last_event_id = models.UUIDField()
    form = models.PositiveSmallIntegerField(help_text="How rows are written down for their digest.")
    previous = models.CharField(max_length=64, blank=True, help_text="The digest of the seal before.")
    digest = models.CharField(max_length=64)
    sealed_at = models.DateTimeField(db_default=Now(), help_text="By the database's clock, whatever was sent.")
    dropped_at = models.DateTimeField(null=True, help_text="When its rows were dropped, being old enough.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization_id", "number"], name="audit_seal_number_once", nulls_distinct=False
            )
        ]
        indexes = [models.Index(fields=["sealed_at"], condition=models.Q(dropped_at=None), name="audit_seal_age")]

    def __str__(self) -> str:
        return f"{self.organization_id or 'platform'} {self.number}"


class AuditSealedRow(models.Model):
    """That a row is in a segment, at which place, and its own digest, by which a changed row can be named."""

    event_id = models.UUIDField(primary_key=True)
    seal = models.ForeignKey(AuditSeal, on_delete=models.PROTECT, related_name="rows")
    place = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["seal", "place"], name="audit_sealed_row_place_once")]

    def __str__(self) -> str:
        return f"{self.seal_id} {self.place}"


class AuditPolicy(models.Model):
    """One row, which only the owner of the tables can write: how old a segment must be before it may be dropped."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    retention_days = models.PositiveIntegerField(help_text="0: nothing may be dropped.")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="audit_policy_is_one_row")]

    def __str__(self) -> str:
        return f"{self.retention_days} days"


APPEND_ONLY = (AuditEvent, AuditSeal, AuditSealedRow)
"""What nobody changes."""
