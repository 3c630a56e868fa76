"""The models of this app, one family a file."""

from accounts.models.audit import AuditEvent
from accounts.models.idempotency import IdempotentRequest
from accounts.models.invitation import Invitation
from accounts.models.join_request import JoinRequest, JoinState
from accounts.models.notification import Notification
from accounts.models.organization import KubeconfigCeiling, Organization, Project, Team
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
    "IdempotentRequest",
    "Invitation",
    "JoinRequest",
    "JoinState",
    "KubeconfigCeiling",
    "Notification",
    "Organization",
    "OrganizationGroupPermission",
    "OrganizationUserPermission",
    "Project",
    "ProjectGroupPermission",
    "ProjectUserPermission",
    "RoleBinding",
    "ServiceAccount",
    "Team",
    "User",
    "VirtualClusterGroupPermission",
    "VirtualClusterUserPermission",
]
