"""Who has which role where: the truth from which guardian's permission rows are derived."""

from django.db import models
from django.db.models import Q

from accounts.models.base import Row
from accounts.models.organization import Organization, Project, Team
from accounts.models.revisions import Revised
from accounts.models.role import Role
from accounts.models.service_account import ServiceAccount
from accounts.models.user import User
from accounts.roles import (
    CLUSTER_ACTIONS,
    CLUSTER_ROLES,
    ORGANIZATION_ACTIONS,
    ORGANIZATION_ROLES,
    PASSING_ON,
    PROJECT_ACTIONS,
    PROJECT_ROLES,
)


def _one_of(*fields: str) -> Q:
    """Exactly one of these columns is filled."""
    condition = Q()
    for filled in fields:
        condition |= Q(**{f"{field}__isnull": field != filled for field in fields})
    return condition


class RoleBinding(Row, Revised):
    """A user, team or service account has a role in an organization, in a project or for one virtual cluster.

    Until `expires_at` where that is set. `reason` is why platform staff broke the glass: empty for every other one.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, blank=True, related_name="role_bindings")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True, related_name="role_bindings")
    service_account = models.ForeignKey(
        ServiceAccount, on_delete=models.CASCADE, null=True, blank=True, related_name="role_bindings"
    )
    # A built-in name may exist in both tables (admin); which is meant follows from the scope.
    role = models.CharField(max_length=40, help_text="The name of a built-in role, or of one of the organization.")
    custom_role = models.ForeignKey(
        Role, on_delete=models.RESTRICT, null=True, blank=True, editable=False, related_name="bindings"
    )
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="role_bindings"
    )
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, blank=True, related_name="role_bindings")
    virtual_cluster = models.ForeignKey(
        "clusters.VirtualCluster", on_delete=models.CASCADE, null=True, blank=True, related_name="role_bindings"
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                name="role_binding_has_one_subject",
                condition=_one_of("user", "team", "service_account"),
            ),
            models.CheckConstraint(
                name="role_binding_has_one_scope",
                condition=_one_of("organization", "project", "virtual_cluster"),
            ),
            models.UniqueConstraint(
                name="role_binding_once",
                fields=["user", "team", "service_account", "role", "organization", "project", "virtual_cluster"],
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        subject = self.user or self.team or self.service_account
        return f"{subject} is {self.role} of {self.organization or self.project or self.virtual_cluster}"

    @property
    def actions(self) -> frozenset[str]:
        """What the role allows at this scope. Who broke the glass passes none of it on."""
        if self.custom_role is not None:
            return frozenset(self.custom_role.actions) & self._actions_here
        if self.organization_id:
            return ORGANIZATION_ROLES[self.role]
        actions = (PROJECT_ROLES if self.project_id else CLUSTER_ROLES)[self.role]
        return actions - PASSING_ON if self.reason else actions

    @property
    def _actions_here(self) -> frozenset[str]:
        if self.organization_id:
            return frozenset(ORGANIZATION_ACTIONS)
        return frozenset(PROJECT_ACTIONS if self.project_id else CLUSTER_ACTIONS)
