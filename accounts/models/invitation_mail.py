"""The mail that takes an invitation's link to who is invited."""

from django.db import models
from django.db.models import Q

from accounts.models.base import Row
from accounts.models.invitation import Invitation
from accounts.models.notification_channels import DeliveryState


class InvitationMail(Row):
    """One invitation's mail. While it waits the link's secret is kept here, encrypted; once it is over it is gone.

    A new link for the same invitation is a new row.
    """

    invitation = models.OneToOneField(Invitation, on_delete=models.CASCADE, related_name="mail")
    state = models.CharField(max_length=20, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, help_text="Not before; while it is sent, when it counts as lost.")
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True, help_text="Why it was not sent, or not yet.")
    secret = models.BinaryField(null=True, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                name="invitation_mail_secret_goes", condition=Q(state="pending") | Q(secret__isnull=True)
            )
        ]
        indexes = [
            models.Index(name="invitation_mail_due", fields=["next_attempt_at"], condition=Q(state="pending")),
        ]

    def __str__(self) -> str:
        return f"{self.invitation_id}: {self.state}"
