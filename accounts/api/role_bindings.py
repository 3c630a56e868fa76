"""/role-bindings"""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import require
from accounts.api.fields import OrganizationField, ProjectField
from accounts.api.filters import RoleBindingFilters
from accounts.api.idempotency import idempotent
from accounts.api.people import team_given, user_given
from accounts.api.references import OrganizationReference, ProjectReference, TeamReference, UserReference
from accounts.api.resources import ListedResource
from accounts.api.since import Changes
from accounts.api.strict import StrictSerializer
from accounts.models import Organization, RoleBinding
from accounts.models.role_binding import ROLE_NAMES
from accounts.selectors import role_binding_tombstones, role_bindings_visible_to
from accounts.services.role_bindings import (
    members_action,
    role_binding_create,
    role_binding_delete,
    role_binding_update,
)


class RoleBindingSerializer(serializers.ModelSerializer[RoleBinding]):
    """Who has which role where, until when. One of `user` and `team`, one of `organization` and `project`."""

    user = UserReference(read_only=True, allow_null=True)
    team = TeamReference(read_only=True, allow_null=True)
    organization = OrganizationReference(read_only=True, allow_null=True)
    project = ProjectReference(read_only=True, allow_null=True)
    role = serializers.CharField(read_only=True)

    class Meta:
        model = RoleBinding
        fields = ("id", "user", "team", "role", "organization", "project", "expires_at", "created_at")
        read_only_fields = fields


class RoleBindingUpdate(StrictSerializer):
    """What can be changed of a role binding."""

    expires_at = serializers.DateTimeField(allow_null=True, required=False, help_text="Null: without an end.")


class RoleBindingCreate(RoleBindingUpdate):
    """A role to give: to a user or a team, in an organization or a project."""

    user = serializers.CharField(required=False, max_length=40, help_text="Handle or id.")
    team = serializers.CharField(required=False, max_length=40, help_text="Name or id.")
    role = serializers.ChoiceField(choices=ROLE_NAMES)
    organization = OrganizationField(required=False, help_text="Id or name.")
    project = ProjectField(required=False, help_text="Id, or organization/name.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for one, other in (("user", "team"), ("organization", "project")):
            if (one in attrs) == (other in attrs):
                raise serializers.ValidationError({one: f"Exactly one of `{one}` and `{other}` is needed."})
        return attrs


class RoleBindingResource(ListedResource[RoleBinding]):
    """Who has which role in what you see."""

    serializer_class = RoleBindingSerializer
    filterset_class = RoleBindingFilters
    search_fields = ("user__handle", "user__name", "team__name")
    changes = Changes(
        kind="role-binding",
        told=role_binding_tombstones,
        also=("team", "organization", "project", "project__organization"),
        filters=("user", "team", "role", "organization", "project"),
    )

    def visible(self) -> QuerySet[RoleBinding]:
        return role_bindings_visible_to(self.user)

    @extend_schema(request=RoleBindingCreate, responses={201: RoleBindingSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Gives a role. For admins of the project or organization."""
        body = self.body(RoleBindingCreate)
        scope = body.get("organization") or body["project"]
        require(self.user, members_action(scope), scope)
        organization = scope if isinstance(scope, Organization) else scope.organization
        by_team = "team" in body
        binding = role_binding_create(
            actor=self.actor,
            subject=team_given(organization, body["team"], "team") if by_team else user_given(body["user"], "user"),
            role=body["role"],
            scope=scope,
            expires_at=body.get("expires_at"),
            now=timezone.now(),
        )
        return self.created(binding)

    @extend_schema(request=RoleBindingUpdate, responses=RoleBindingSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Lets a role end at another time, or not at all."""
        binding, body = self.get_object(), self.body(RoleBindingUpdate)
        if "expires_at" in body:
            binding = role_binding_update(actor=self.actor, binding=binding, now=timezone.now(), **body)
        return Response(self.shown(binding))

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Takes a role away, or gives up one's own."""
        binding = self.get_object()
        self.no_body()
        role_binding_delete(actor=self.actor, binding=binding, now=timezone.now())
        return Response(status=204)
