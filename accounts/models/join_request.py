"""Asking to join a project."""

from django.db import models
from django.db.models import Q

from accounts.models.base import Row
from accounts.models.organization import Project
from accounts.models.user import User


class JoinState(models.TextChoices):
    """Open until an admin of the project decides, or who asked takes it back."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class JoinRequest(Row):
    """A member of the organization asks for a role in a project. One is open a person and project at a time."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="join_requests")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="join_requests")
    message = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=10, choices=JoinState.choices, default=JoinState.OPEN)
    role = models.CharField(max_length=40, blank=True, help_text="The role that was given.")
    decided_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                name="join_request_one_open", fields=["project", "user"], condition=Q(state=JoinState.OPEN)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} asks to join {self.project}"
