"""The addresses of people and roles, below /api/v1/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from accounts.api.access_tokens import AccessTokenResource
from accounts.api.invitations import InvitationResource
from accounts.api.join_requests import JoinableProjectResource, JoinRequestResource, ProjectJoinRequests
from accounts.api.organizations import OrganizationResource
from accounts.api.projects import ProjectResource
from accounts.api.role_bindings import RoleBindingResource
from accounts.api.teams import TeamResource
from accounts.api.users import MeResource, UserResource

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("access-tokens", AccessTokenResource, basename="access-token")
router.register("invitations", InvitationResource, basename="invitation")
router.register("join-requests", JoinRequestResource, basename="join-request")
router.register("organizations", OrganizationResource, basename="organization")
router.register("projects", ProjectResource, basename="project")
router.register("role-bindings", RoleBindingResource, basename="role-binding")
router.register("teams", TeamResource, basename="team")
router.register("users", UserResource, basename="user")

urlpatterns = [
    path("me", MeResource.as_view(), name="me"),
    path("projects/joinable", JoinableProjectResource.as_view({"get": "list"}), name="project-joinable"),
    path(
        "projects/<uuid:project>/join-requests",
        ProjectJoinRequests.as_view({"post": "create"}),
        name="project-join-requests",
    ),
    *router.urls,
]
