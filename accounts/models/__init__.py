"""The models of this app, one family a file."""

from accounts.models.audit import AuditEvent
from accounts.models.device_login import DeviceLogin, DeviceLoginState
from accounts.models.group_mapping import GroupGrant, GroupMapping, StaffGrant
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
    "AuditEvent",
    "DeviceLogin",
    "DeviceLoginState",
    "GroupGrant",
    "GroupMapping",
    "IdempotentRequest",
    "Organization",
    "OrganizationGroupPermission",
    "OrganizationUserPermission",
    "Project",
    "ProjectGroupPermission",
    "ProjectUserPermission",
    "RoleBinding",
    "StaffGrant",
    "Team",
    "User",
]
