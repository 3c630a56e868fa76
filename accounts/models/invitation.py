"""Invitations: a link that gives a role to whoever opens it first."""

from datetime import datetime

from django.db import models
from django.db.models import Q

from accounts.models.base import Row
from accounts.models.organization import Organization, Project
from accounts.models.user import User


class Invitation(Row):
    """A role in an organization or project for one person. Of the link's secret only a keyed digest is stored.

    `organization` is always there; with `project` the role is one of that project. With `email` only somebody with that
    address may accept.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="invitations")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, blank=True, related_name="invitations")
    role = models.CharField(max_length=40)
    email = models.EmailField(blank=True)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    expires_at = models.DateTimeField()
    created_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="invitations", editable=False)
    used_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                name="invitation_ends_once", condition=Q(used_at__isnull=True) | Q(revoked_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} of {self.scope}"

    @property
    def scope(self) -> Organization | Project:
        """Where the role holds."""
        return self.project or self.organization

    def state(self, *, now: datetime) -> str:
        """In one word."""
        if self.used_at:
            return "used"
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at <= now else "open"
