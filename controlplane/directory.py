"""`/api/v1/`: where everything is, for who begins with the bare address."""

from typing import Final

from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

NAMES: Final = {
    "openapi": "openapi",
    "docs": "docs",
    "me": "me",
    "options": "options",
    "virtual_clusters": "virtual-cluster-list",
    "host_clusters": "host-cluster-list",
    "region_offers": "region-offer-list",
    "sleep_schedules": "sleep-schedule-list",
    "lifecycle_policies": "lifecycle-policy-list",
    "upgrade_policies": "upgrade-policy-list",
    "rollouts": "rollout-list",
    "discovered_clusters": "discovered-cluster-list",
    "operations": "operation-list",
    "exports": "export-list",
    "gateway_requests": "gateway-request-list",
    "organizations": "organization-list",
    "projects": "project-list",
    "teams": "team-list",
    "users": "user-list",
    "role_bindings": "role-binding-list",
    "access_tokens": "access-token-list",
    "audit_events": "audit-event-list",
    "notifications": "notification-list",
    "notification_preferences": "notification-preference-list",
    "webhooks": "webhook-list",
    "group_mappings": "group-mapping-list",
    "sessions": "session-list",
    "second_factor": "second-factor",
    "device_logins": "device-login-list",
    "invitations": "invitation-list",
    "join_requests": "join-request-list",
    "service_accounts": "service-account-list",
    "federation_rules": "federation-rule-list",
    "federated_tokens": "federated-tokens",
}
"""What a link is called, and the name of its address."""


@require_safe
def directory(request: HttpRequest) -> JsonResponse:
    """Links to the API's document, its pages and its nouns; the same for everybody, as the document is."""
    return JsonResponse({name: request.build_absolute_uri(reverse(address)) for name, address in NAMES.items()})
