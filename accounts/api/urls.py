"""The addresses of people and roles, below /api/v1/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from accounts.api.access_tokens import AccessTokenResource
from accounts.api.federated_tokens import FederatedTokens
from accounts.api.federation_rules import FederationRuleResource
from accounts.api.organizations import OrganizationResource
from accounts.api.projects import ProjectResource
from accounts.api.role_bindings import RoleBindingResource
from accounts.api.service_accounts import ServiceAccountResource
from accounts.api.teams import TeamResource
from accounts.api.users import MeResource, UserResource

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("access-tokens", AccessTokenResource, basename="access-token")
router.register("federation-rules", FederationRuleResource, basename="federation-rule")
router.register("organizations", OrganizationResource, basename="organization")
router.register("projects", ProjectResource, basename="project")
router.register("role-bindings", RoleBindingResource, basename="role-binding")
router.register("service-accounts", ServiceAccountResource, basename="service-account")
router.register("teams", TeamResource, basename="team")
router.register("users", UserResource, basename="user")

urlpatterns = [
    path("me", MeResource.as_view(), name="me"),
    path("federated-tokens", FederatedTokens.as_view(), name="federated-tokens"),
    *router.urls,
]
