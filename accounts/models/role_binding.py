"""Who has which role where: the truth from which guardian's permission rows are derived."""

from django.db import models
from django.db.models import Q

from accounts.models.base import Row
from accounts.models.organization import Organization, Project, Team
from accounts.models.revisions import Revised
from accounts.models.user import User
from accounts.roles import ORGANIZATION_ROLES, PROJECT_ROLES

# A role's name may exist in both tables (admin); which is meant follows from the scope.
ROLE_NAMES = sorted({*ORGANIZATION_ROLES, *PROJECT_ROLES})


class RoleBinding(Row, Revised):
    """A user or team has a role in an organization or in a project, until `expires_at` where that is set."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, blank=True, related_name="role_bindings")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True, related_name="role_bindings")
    role = models.CharField(max_length=20, choices=[(name, name) for name in ROLE_NAMES])
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="role_bindings"
    )
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, blank=True, related_name="role_bindings")
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                name="role_binding_has_one_subject",
                condition=Q(user__isnull=False, team__isnull=True) | Q(user__isnull=True, team__isnull=False),
            ),
            models.CheckConstraint(
                name="role_binding_has_one_scope",
                condition=Q(organization__isnull=False, project__isnull=True)
                | Q(organization__isnull=True, project__isnull=False),
            ),
            models.UniqueConstraint(
                name="role_binding_once",
                fields=["user", "team", "role", "organization", "project"],
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user or self.team} is {self.role} of {self.organization or self.project}"

    @property
    def actions(self) -> frozenset[str]:
        """What the role allows at this scope."""
        table = ORGANIZATION_ROLES if self.organization_id else PROJECT_ROLES
        return table[self.role]
