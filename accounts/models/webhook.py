"""Webhooks: addresses that are told of events, and what was told to each."""

from django.db import models
from django.db.models import Q

from accounts.models.base import Row
from accounts.models.organization import Organization, Project


class Webhook(Row):
    """An address outside that is told of events in an organization, or in one of its projects only.

    Its secret is kept encrypted. After a rotation the one before signs as well, until `previous_until`. Whoever sends
    holds it until `busy_until`, so that one webhook gets one request at a time, and one that was killed is followed by
    another; a time that has passed says when it was served last.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="webhooks")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, related_name="webhooks")
    url = models.CharField(max_length=2000)
    description = models.CharField(max_length=200, blank=True)
    events = models.JSONField(default=list, help_text="Event types, groups like operation.*, or *.")
    secret = models.BinaryField(editable=False)
    previous_secret = models.BinaryField(null=True, editable=False)
    previous_until = models.DateTimeField(null=True, editable=False)
    enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=300, blank=True)
    failing_since = models.DateTimeField(null=True, help_text="The first failure since the last success.")
    busy_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(name="webhook_enabled", fields=["organization"], condition=Q(enabled=True))]

    def __str__(self) -> str:
        return self.description or str(self.pk)


class WebhookDeliveryState(models.TextChoices):
    """Pending will be tried (again); Delivered and Failed are final, until somebody asks for it once more."""

    PENDING = "Pending"
    DELIVERED = "Delivered"
    FAILED = "Failed"


class WebhookDelivery(Row):
    """One event for one webhook. `event_id` goes out as `webhook-id` with every attempt, so receivers know it again.

    `source` names the row that the event was derived from; the unique constraint is why none is told twice.
    """

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    event_id = models.CharField(max_length=60)
    type = models.CharField(max_length=80)
    source = models.CharField(max_length=100)
    payload = models.JSONField()
    state = models.CharField(max_length=20, choices=WebhookDeliveryState.choices, default=WebhookDeliveryState.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    tried_from = models.DateTimeField(help_text="The time from which retries are counted.")
    next_attempt_at = models.DateTimeField(null=True)
    attempted_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True, help_text="The newest answer's HTTP status.")
    answer = models.CharField(max_length=1000, blank=True, help_text="The beginning of the newest answer.")
    error = models.CharField(max_length=300, blank=True, help_text="Why the newest attempt did not succeed.")
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(name="webhook_event_once", fields=["webhook", "type", "source"])]
        indexes = [
            models.Index(
                name="webhook_delivery_due", fields=["webhook", "next_attempt_at", "id"], condition=Q(state="Pending")
            ),
            models.Index(name="webhook_delivery_list", fields=["webhook", "-id"]),
            models.Index(name="webhook_delivery_old", fields=["created_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class EventPosition(models.Model):
    """How far events were derived from a table that is only added to: its newest row, by transaction and id.

    `since` is when reading began anew (the first time, or in a database that was loaded from a dump): rows from before
    are no news.
    """

    name = models.CharField(primary_key=True, max_length=40)
    transaction = models.BigIntegerField()
    row = models.UUIDField()
    since = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.transaction}"
