"""The record of who did what."""

from django.db import models

from accounts.models.base import Row, TransactionNumber


class AuditEvent(Row):
    """Who did what to what, from where, with what result. Plain columns: it outlives what it speaks of.

    Append-only: the database refuses to change it, and lets whole sealed segments go when they are old enough.
    """

    actor_id = models.UUIDField(null=True)
    actor = models.CharField(max_length=100, help_text="The handle, or the part of Marina that acted.")
    token_prefix = models.CharField(max_length=8, blank=True)
    address = models.GenericIPAddressField(null=True)
    source = models.CharField(
        max_length=20, blank=True, help_text="The interface: api, cli, web, admin, or marina itself."
    )
    user_agent = models.CharField(max_length=200, blank=True, help_text="What the sender's program calls itself.")
    request_id = models.CharField(max_length=128, blank=True)
    action = models.CharField(max_length=60)
    object_kind = models.CharField(max_length=40)
    object_id = models.CharField(max_length=64)
    object_name = models.CharField(max_length=120, blank=True)
    organization_id = models.UUIDField(null=True)
    result = models.CharField(max_length=20, default="ok", help_text="ok, denied or failed.")
    before = models.JSONField(default=dict, help_text="What mattered of the object before the change.")
    after = models.JSONField(default=dict, help_text="The same after it.")
    details = models.JSONField(
        default=dict, help_text="What else is worth knowing, or what was given out. Never a secret."
    )
    written_in = models.BigIntegerField(
        db_default=TransactionNumber(), editable=False, help_text="The number of the transaction that wrote it."
    )

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["organization_id", "-created_at"]),
            models.Index(fields=["object_kind", "object_id"]),
            models.Index(fields=["organization_id", "-id"], name="audit_event_page"),
            models.Index(fields=["written_in", "id"], name="audit_event_written"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.object_name or self.object_id}"
