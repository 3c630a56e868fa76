"""Organizations, their teams, and the projects people work in."""

from django.contrib.auth.models import Group
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
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
    personal_projects = models.BooleanField(
        default=True, help_text="Whoever belongs to it gets a project of their own when they first sign in."
    )
    personal_project_clusters = models.PositiveIntegerField(
        default=2, help_text="How many virtual clusters a personal project may have."
    )
    personal_project_lifetime_days = models.PositiveIntegerField(
        default=30, help_text="How long a virtual cluster of a personal project is meant to live, in days."
    )
    member_projects = models.PositiveIntegerField(
        default=3, help_text="How many projects a member may make besides the personal one; 0: none."
    )
    token_maximum_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(3650)],
        help_text="So many days a token that reaches the organization holds at most; empty: as the platform has it.",
    )

    class Meta:
        ordering = ["name"]
        # one permission an action: guardian's rows on an organization hold for everything in it
        permissions = [(action, action) for action in ORGANIZATION_ACTIONS]
        default_permissions = ("add", "change", "delete", "view")

    def __str__(self) -> str:
        return self.name


class KubeconfigCeiling(models.TextChoices):
    """The most that a kubeconfig gives inside virtual clusters, whatever the role of who asks for it."""

    NONE = "none"
    VIEW = "view"
    ADMIN = "admin"


class RequestAudit(models.TextChoices):
    """Which requests to virtual clusters through the gateway are written down one by one."""

    NONE = "none"
    WRITES = "writes"
    ALL = "all"


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
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="created_projects", editable=False
    )
    personal_of = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="personal_projects",
        editable=False,
        help_text="Whose personal project it is; empty for every other one.",
    )
    cluster_limit = models.PositiveIntegerField(
        null=True, blank=True, help_text="How many virtual clusters it may have; empty: any number."
    )
    cluster_lifetime_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="How long its virtual clusters are meant to live, in days; empty: no end."
    )
    kubeconfig_ceiling = models.CharField(
        max_length=10,
        choices=KubeconfigCeiling.choices,
        default=KubeconfigCeiling.ADMIN,
        help_text="The most that a kubeconfig gives inside its virtual clusters.",
    )
    direct_kubeconfigs = models.BooleanField(
        default=False,
        help_text="Whether kubeconfigs that go past the gateway are given out: without audit, use or quick revocation.",
    )
    request_audit = models.CharField(
        max_length=10,
        choices=RequestAudit.choices,
        default=RequestAudit.WRITES,
        db_default=RequestAudit.WRITES,
        help_text="Which requests to its virtual clusters through the gateway are written down one by one.",
    )

    class Meta:
        ordering = ["name"]
        permissions = [(action, action) for action in PROJECT_ACTIONS]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "personal_of"], name="personal_project_once_in_organization"
            ),
            models.UniqueConstraint(fields=["organization", "name"], name="project_name_unique_in_organization"),
        ]

    def __str__(self) -> str:
        return f"{self.organization.name}/{self.name}"
