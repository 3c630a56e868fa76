"""/role-bindings"""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import require
from accounts.api.fields import OrganizationField, ProjectField, RoleNameField
from accounts.api.filters import RoleBindingFilters
from accounts.api.idempotency import idempotent
from accounts.api.people import subject_given
from accounts.api.references import (
    OrganizationReference,
    ProjectReference,
    ServiceAccountReference,
    TeamReference,
    UserReference,
    VirtualClusterReference,
)
from accounts.api.resources import ListedResource
from accounts.api.since import Changes
from accounts.api.strict import StrictSerializer
from accounts.models import RoleBinding
from accounts.selectors import role_binding_tombstones, role_bindings_visible_to
from accounts.services.role_bindings import (
    members_action,
    role_binding_create,
    role_binding_delete,
    role_binding_update,
)


class RoleBindingSerializer(serializers.ModelSerializer[RoleBinding]):
    """Who has which role where, until when.

    One of `user`, `team` and `service_account`; one of `organization`, `project` and `virtual_cluster`.
    """

    user = UserReference(read_only=True, allow_null=True)
    team = TeamReference(read_only=True, allow_null=True)
    organization = OrganizationReference(read_only=True, allow_null=True)
    project = ProjectReference(read_only=True, allow_null=True)
    service_account = ServiceAccountReference(read_only=True, allow_null=True)
    virtual_cluster = VirtualClusterReference(read_only=True, allow_null=True)
    role = serializers.CharField(read_only=True)

    class Meta:
        model = RoleBinding
        fields = (
            "id",
            "user",
            "team",
            "service_account",
            "role",
            "organization",
            "project",
            "virtual_cluster",
            "expires_at",
            "reason",
            "created_at",
        )
        read_only_fields = fields
        extra_kwargs = {"reason": {"help_text": "Why platform staff broke the glass; empty for every other role."}}


class RoleBindingUpdate(StrictSerializer):
    """What can be changed of a role binding."""

    expires_at = serializers.DateTimeField(allow_null=True, required=False, help_text="Null: without an end.")


class RoleBindingCreate(RoleBindingUpdate):
    """A role to give: to a user, team or service account, in an organization or a project.

    For one virtual cluster alone: /virtual-clusters/{id}/shares.
    """

    user = serializers.CharField(required=False, max_length=40, help_text="Handle or id.")
    team = serializers.CharField(required=False, max_length=40, help_text="Name or id.")
    service_account = serializers.CharField(required=False, max_length=130, help_text="Id, or project/name.")
    role = RoleNameField(
        help_text="Of an organization: member, auditor or admin; of a project: viewer, developer or admin; or one of "
        "the organization's own."
    )
    organization = OrganizationField(required=False, help_text="Id or name.")
    project = ProjectField(required=False, help_text="Id, or organization/name.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        one_of(attrs, "user", "team", "service_account")
        one_of(attrs, "organization", "project")
        return attrs


def one_of(attrs: dict[str, Any], *names: str) -> None:
    """Refuses a body that has none or several of these fields, by the first one's name."""
    if sum(name in attrs for name in names) != 1:
        listed = f"{', '.join(f'`{name}`' for name in names[:-1])} and `{names[-1]}`"
        raise serializers.ValidationError({names[0]: f"Exactly one of {listed} is needed."})


class RoleBindingResource(ListedResource[RoleBinding]):
    """Who has which role in what you see."""

    serializer_class = RoleBindingSerializer
    filterset_class = RoleBindingFilters
    search_fields = ("user__handle", "user__name", "team__name", "service_account__name")
    changes = Changes(
        kind="role-binding",
        told=role_binding_tombstones,
        also=("team", "organization", "project", "project__organization", "virtual_cluster"),
        filters=("user", "team", "service_account", "role", "organization", "project", "virtual_cluster"),
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
        binding = role_binding_create(
            actor=self.actor,
            subject=subject_given(body, scope),
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
