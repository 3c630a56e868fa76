"""The models of this app, one family a file."""

from accounts.models.audit import AuditEvent
from accounts.models.federation import FederationRule, SpentAssertion
from accounts.models.idempotency import IdempotentRequest
from accounts.models.notification import Notification
from accounts.models.organization import Organization, Project, Team
from accounts.models.permissions import (
    OrganizationGroupPermission,
    OrganizationUserPermission,
    ProjectGroupPermission,
    ProjectUserPermission,
    VirtualClusterGroupPermission,
    VirtualClusterUserPermission,
)
from accounts.models.role_binding import RoleBinding
from accounts.models.service_account import ServiceAccount
from accounts.models.token import AccessToken
from accounts.models.user import User

__all__ = [
    "AccessToken",
    "AuditEvent",
    "FederationRule",
    "IdempotentRequest",
    "Notification",
    "Organization",
    "OrganizationGroupPermission",
    "OrganizationUserPermission",
    "Project",
    "ProjectGroupPermission",
    "ProjectUserPermission",
    "RoleBinding",
    "ServiceAccount",
    "SpentAssertion",
    "Team",
    "User",
    "VirtualClusterGroupPermission",
    "VirtualClusterUserPermission",
]
