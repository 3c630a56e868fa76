"""The models of this app, one family a file."""

from accounts.models.audit import AuditEvent
from accounts.models.audit_seals import AuditChain, AuditPolicy, AuditSeal, AuditSealedRow, AuditWaiting
from accounts.models.idempotency import IdempotentRequest
from accounts.models.organization import Organization, Project, Team
from accounts.models.permissions import (
    OrganizationGroupPermission,
    OrganizationUserPermission,
    ProjectGroupPermission,
    ProjectUserPermission,
)
from accounts.models.role_binding import RoleBinding
from accounts.models.token import AccessToken
from accounts.models.user import User

__all__ = [
    "AccessToken",
    "AuditChain",
    "AuditEvent",
    "AuditPolicy",
    "AuditSeal",
    "AuditSealedRow",
    "AuditWaiting",
    "IdempotentRequest",
    "Organization",
    "OrganizationGroupPermission",
    "OrganizationUserPermission",
    "Project",
    "ProjectGroupPermission",
    "ProjectUserPermission",
    "RoleBinding",
    "Team",
    "User",
]
