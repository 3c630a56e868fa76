"""Custom roles: named sets of actions that an organization defines beside the built-in ones."""

from django.db import models

from accounts.models.base import Row
from accounts.models.organization import NAME_RULE, Organization


class Role(Row):
    """What an organization calls a set of actions. Its name stays: bindings, audit rows and scripts speak of it.

    Where it is given for a project or one cluster, it allows those of its actions that can be done there.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="roles")
    name = models.CharField(max_length=40, validators=[NAME_RULE])
    description = models.CharField(max_length=200, blank=True)
    actions = models.JSONField(default=list, help_text="The actions that it allows, sorted.")

    class Meta:
        ordering = ["organization__name", "name"]
        constraints = [
            models.UniqueConstraint(name="role_name_once", fields=["organization", "name"]),
        ]

    def __str__(self) -> str:
        return f"{self.organization}/{self.name}"
