"""The models of this app, one family a file."""

from accounts.models.audit import AuditEvent
from accounts.models.audit_seals import AuditChain, AuditPolicy, AuditSeal, AuditSealedRow, AuditWaiting
from accounts.models.device_login import DeviceLogin, DeviceLoginState
from accounts.models.federation import FederationRule, SpentAssertion
from accounts.models.group_mapping import GroupGrant, GroupMapping, StaffGrant
from accounts.models.idempotency import IdempotentRequest
from accounts.models.invitation import Invitation
from accounts.models.invitation_mail import InvitationMail
from accounts.models.join_request import JoinRequest, JoinState
from accounts.models.notification import Notification
from accounts.models.notification_channels import DeliveryState, NotificationDelivery, NotificationPreference
from accounts.models.organization import KubeconfigCeiling, Organization, Project, RequestAudit, Team
from accounts.models.permissions import (
    OrganizationGroupPermission,
    OrganizationUserPermission,
    ProjectGroupPermission,
    ProjectUserPermission,
    VirtualClusterGroupPermission,
    VirtualClusterUserPermission,
)
from accounts.models.revisions import RevisionHorizon, RightsChange, Tombstone
from accounts.models.role import Role
from accounts.models.role_binding import RoleBinding
from accounts.models.service_account import ServiceAccount
from accounts.models.token import AccessToken
from accounts.models.user import User
from accounts.models.webhook import EventPosition, Webhook, WebhookDelivery, WebhookDeliveryState

__all__ = [
    "AccessToken",
    "AuditChain",
    "AuditEvent",
    "AuditPolicy",
    "AuditSeal",
    "AuditSealedRow",
    "AuditWaiting",
    "DeliveryState",
    "DeviceLogin",
    "DeviceLoginState",
    "EventPosition",
    "FederationRule",
    "GroupGrant",
    "GroupMapping",
    "IdempotentRequest",
    "Invitation",
    "InvitationMail",
    "JoinRequest",
    "JoinState",
    "KubeconfigCeiling",
    "Notification",
    "NotificationDelivery",
    "NotificationPreference",
    "Organization",
    "OrganizationGroupPermission",
    "OrganizationUserPermission",
    "Project",
    "ProjectGroupPermission",
    "ProjectUserPermission",
    "RequestAudit",
    "RevisionHorizon",
    "RightsChange",
    "Role",
    "RoleBinding",
    "ServiceAccount",
    "SpentAssertion",
    "StaffGrant",
    "Team",
    "Tombstone",
    "User",
    "VirtualClusterGroupPermission",
    "VirtualClusterUserPermission",
    "Webhook",
    "WebhookDelivery",
    "WebhookDeliveryState",
]
