"""The addresses of people and roles, below /api/v1/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from accounts.api.access_tokens import AccessTokenResource
from accounts.api.audit_events import AuditEventResource
from accounts.api.device_logins import DeviceLoginResource, DeviceTokenResource
from accounts.api.federated_tokens import FederatedTokens
from accounts.api.federation_rules import FederationRuleResource
from accounts.api.group_mappings import GroupMappingResource
from accounts.api.invitations import InvitationResource
from accounts.api.join_requests import JoinableProjectResource, JoinRequestResource, ProjectJoinRequests
from accounts.api.notifications import NotificationResource, PreferenceResource
from accounts.api.organizations import OrganizationResource
from accounts.api.projects import ProjectResource
from accounts.api.role_bindings import RoleBindingResource
from accounts.api.roles import RoleResource
from accounts.api.second_factor import SecondFactorResource
from accounts.api.service_accounts import ServiceAccountResource
from accounts.api.sessions import SessionResource
from accounts.api.teams import TeamResource
from accounts.api.users import MeResource, UserResource
from accounts.api.webhooks import WebhookDeliveryResource, WebhookResource

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("access-tokens", AccessTokenResource, basename="access-token")
router.register("audit-events", AuditEventResource, basename="audit-event")
router.register("notifications", NotificationResource, basename="notification")
router.register("notification-preferences", PreferenceResource, basename="notification-preference")
router.register("group-mappings", GroupMappingResource, basename="group-mapping")
router.register("invitations", InvitationResource, basename="invitation")
router.register("join-requests", JoinRequestResource, basename="join-request")
router.register("federation-rules", FederationRuleResource, basename="federation-rule")
router.register("organizations", OrganizationResource, basename="organization")
router.register("organizations/<uuid:organization>/roles", RoleResource, basename="role")
router.register("projects", ProjectResource, basename="project")
router.register("role-bindings", RoleBindingResource, basename="role-binding")
router.register("service-accounts", ServiceAccountResource, basename="service-account")
router.register("sessions", SessionResource, basename="session")
router.register("teams", TeamResource, basename="team")
router.register("users", UserResource, basename="user")
router.register("webhooks", WebhookResource, basename="webhook")
router.register("webhooks/<uuid:webhook>/deliveries", WebhookDeliveryResource, basename="webhook-delivery")

_second_factor = (
    ("", "get", "state"),
    *(
        (f"/{each}", "post", each.replace("-", "_"))
        for each in ("begin", "confirm", "recovery-codes", "turn-off", "reset")
    ),
)

urlpatterns = [
    *(
        path(
            f"second-factor{below}",
            SecondFactorResource.as_view({method: action}, basename="second-factor"),
            name=f"second-factor{below.replace('/', '-')}",
        )
        for below, method, action in _second_factor
    ),
    path("me", MeResource.as_view(), name="me"),
    path("device-logins", DeviceLoginResource.as_view(), name="device-login-list"),
    path("device-logins/token", DeviceTokenResource.as_view(), name="device-login-token"),
    path("projects/joinable", JoinableProjectResource.as_view({"get": "list"}), name="project-joinable"),
    path(
        "projects/<uuid:project>/join-requests",
        ProjectJoinRequests.as_view({"post": "create"}),
        name="project-join-requests",
    ),
    path("federated-tokens", FederatedTokens.as_view(), name="federated-tokens"),
    *router.urls,
]
