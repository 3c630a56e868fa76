"""Organizations, their teams, and the projects people work in."""

from django.contrib.auth.models import Group
from django.core.validators import RegexValidator
from django.db import models

from accounts.models.base import Row
from accounts.models.revisions import Revised
from accounts.models.user import User
from accounts.roles import ORGANIZATION_ACTIONS, PROJECT_ACTIONS

NAME_RULE = RegexValidator(
    r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?\Z",
    "A name has 1 to 40 lower-case letters, digits and dashes, and begins and ends with a letter or digit.",
)


class Organization(Row, Revised):
    """Owns teams, projects and service accounts. A user may belong to several."""

    name = models.CharField(max_length=40, unique=True, validators=[NAME_RULE])
    display_name = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["name"]
        # one permission an action: guardian's rows on an organization hold for everything in it
        permissions = [(action, action) for action in ORGANIZATION_ACTIONS]
        default_permissions = ("add", "change", "delete", "view")

    def __str__(self) -> str:
        return self.name


class Team(Row, Revised):
    """Users of one organization who get roles together.

    Its Django group, named by the team's id, carries the guardian permissions; services keep the two in step.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="teams")
    name = models.CharField(max_length=40, validators=[NAME_RULE])
    members = models.ManyToManyField(User, related_name="teams", blank=True)
    group = models.OneToOneField(Group, on_delete=models.PROTECT, related_name="team", editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="team_name_unique_in_organization"),
        ]

    def __str__(self) -> str:
        return f"{self.organization.name}/{self.name}"


class Project(Row, Revised):
    """What people work on: virtual clusters (and later spaces) live in it."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="projects")
    name = models.CharField(max_length=40, validators=[NAME_RULE])
    display_name = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["name"]
        permissions = [(action, action) for action in PROJECT_ACTIONS]
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="project_name_unique_in_organization"),
        ]

    def __str__(self) -> str:
        return f"{self.organization.name}/{self.name}"
