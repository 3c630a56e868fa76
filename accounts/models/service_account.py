"""Service accounts: how CI and other programs sign in, without being a person."""

from django.db import models

from accounts.models.base import Row
from accounts.models.organization import NAME_RULE, Project
from accounts.models.user import User


class ServiceAccount(Row):
    """A program that works in a project. Its name is unique there, and never given again once it is deleted.

    Its `user` carries what users carry (permissions, tokens, what it made and owns), can never sign in by password and
    is in no list of people: so whatever asks who may do something asks the same question for both.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="service_accounts")
    name = models.CharField(max_length=40, validators=[NAME_RULE])
    description = models.CharField(max_length=200, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="service_account", editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="service_account_name_unique_in_project"),
        ]

    def __str__(self) -> str:
        return f"{self.project}/{self.name}"
