"""What people are told: one row a person and event."""

from django.db import models

from accounts.models.base import Row
from accounts.models.user import User


class Notification(Row):
    """Something that a person should know. The row is the inbox; other channels are sent from it.

    What it is about is named by plain columns, so that it outlives that. `link` is a path of the pages, `command` what
    does the next step; both may be empty.
    """

    recipient = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=60)
    subject_kind = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=64)
    subject_name = models.CharField(max_length=120, blank=True)
    organization_id = models.UUIDField(null=True)
    text = models.TextField(help_text="Sentences for people, without a secret.")
    link = models.CharField(max_length=300, blank=True)
    command = models.CharField(max_length=300, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["recipient", "-created_at"]),
            models.Index(fields=["recipient"], condition=models.Q(read_at=None), name="notification_unread"),
        ]

    def __str__(self) -> str:
        return self.text
