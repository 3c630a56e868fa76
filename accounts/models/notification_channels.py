"""How notifications reach people: what each has chosen, and what was sent."""

from django.db import models
from django.db.models import Q

from accounts.models.base import Row
from accounts.models.notification import Notification
from accounts.models.user import User
from accounts.notification_kinds import Channel


class DeliveryState(models.TextChoices):
    """Pending will be tried (again); the others are final."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    SKIPPED = "skipped"


class NotificationPreference(models.Model):
    """That a person wants a kind by a channel, or not; where there is no row the kind's own default holds."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notification_preferences")
    kind = models.CharField(max_length=60)
    channel = models.CharField(max_length=20, choices=[(each.value, each.value) for each in Channel])
    enabled = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint(name="notification_preference_once", fields=["user", "kind", "channel"])]

    def __str__(self) -> str:
        return f"{self.user}: {self.kind} by {self.channel} {'on' if self.enabled else 'off'}"


class NotificationDelivery(Row):
    """One notification on its way by one channel besides the inbox, where the notification itself is the delivery.

    Mail is sent from here. With webhooks it says when the first of them took it; they have deliveries of their own.
    """

    class By(models.TextChoices):
        """The channels."""

        MAIL = "mail"
        WEBHOOK = "webhook"

    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.CharField(max_length=20, choices=By.choices)
    state = models.CharField(max_length=20, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(
        null=True, help_text="Not before; while one is sent, when it counts as lost; empty: it waits no more."
    )
    event = models.UUIDField(null=True, db_index=True, help_text="With webhooks: the source of the event.")
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True, help_text="Why the newest attempt did not succeed.")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(name="notification_channel_once", fields=["notification", "channel"])]
        indexes = [
            models.Index(
                name="notification_delivery_due",
                fields=["channel", "next_attempt_at"],
                condition=Q(state="pending", next_attempt_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.notification_id} by {self.channel}: {self.state}"
