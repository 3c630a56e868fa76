"""The models of this app, one family a file."""

from accounts.models.audit import AuditEvent
from accounts.models.idempotency import IdempotentRequest
from accounts.models.organization import Organization, Project, Team
from accounts.models.permissions import (
    OrganizationGroupPermission,
    OrganizationUserPermission,
    ProjectGroupPermission,
    ProjectUserPermission,
)
from accounts.models.revisions import RevisionHorizon, RightsChange, Tombstone
from accounts.models.role_binding import RoleBinding
from accounts.models.token import AccessToken
from accounts.models.user import User

__all__ = [
    "AccessToken",
    "AuditEvent",
    "IdempotentRequest",
    "Organization",
    "OrganizationGroupPermission",
    "OrganizationUserPermission",
    "Project",
    "ProjectGroupPermission",
    "ProjectUserPermission",
    "RevisionHorizon",
    "RightsChange",
    "RoleBinding",
    "Team",
    "Tombstone",
    "User",
]
