"""What groups of an OpenID Connect issuer give in Marina, and what was given by them to whom."""

from django.db import models
from django.db.models import Q

from accounts.models.base import Row
from accounts.models.organization import Organization, Project, Team
from accounts.models.role_binding import RoleBinding
from accounts.models.user import User


class GroupMapping(Row):
    """Who is in `group` of `issuer` is in `team`, or has `role` in `project` (without one, in the organization)."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="group_mappings")
    issuer = models.CharField(max_length=255, help_text="The issuer's address.")
    group = models.CharField(max_length=255, help_text="As the issuer writes it.")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True, related_name="group_mappings")
    role = models.CharField(max_length=40, blank=True)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, blank=True, related_name="group_mappings")

    class Meta:
        ordering = ["organization__name", "issuer", "group", "id"]
        constraints = [
            models.CheckConstraint(
                name="group_mapping_gives_team_or_role",
                condition=Q(team__isnull=False, role="", project__isnull=True) | (Q(team__isnull=True) & ~Q(role="")),
            ),
            models.UniqueConstraint(
                name="group_mapping_once",
                fields=["organization", "issuer", "group", "team", "role", "project"],
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group} -> {self.gives}"

    @property
    def scope(self) -> Organization | Project:
        """Where the role holds."""
        return self.project or self.organization

    @property
    def gives(self) -> str:
        """In words."""
        return f"team {self.team.name}" if self.team else f"{self.role} of {self.scope}"


class GroupGrant(Row):
    """What a mapping gave to somebody: a role binding, or (without one) the membership of the mapping's team.

    Only this is ever taken away again. A role that somebody had before is not in here.
    """

    mapping = models.ForeignKey(GroupMapping, on_delete=models.CASCADE, related_name="grants")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="group_grants")
    binding = models.ForeignKey(
        RoleBinding, on_delete=models.CASCADE, null=True, blank=True, related_name="group_grants"
    )

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(name="group_grant_once", fields=["mapping", "user"])]

    def __str__(self) -> str:
        return f"{self.user}: {self.mapping}"


class StaffGrant(Row):
    """Somebody is platform staff because the issuer's staff group says so, and for no other reason."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="staff_grant")
    issuer = models.CharField(max_length=255)

    def __str__(self) -> str:
        return f"{self.user} by {self.issuer}"
