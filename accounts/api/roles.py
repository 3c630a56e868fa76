"""/organizations/{organization}/roles"""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.access import UNSEEN, allowed
from accounts.api.fields import NameField
from accounts.api.idempotency import idempotent
from accounts.api.resources import Resource
from accounts.api.strict import StrictSerializer
from accounts.errors import Conflict, InvalidInput, NotAllowed, NotFound
from accounts.models import Organization, Role
from accounts.role_list import built_in_roles, role_found, role_listed, roles_listed, roles_seen_in
from accounts.roles import roles_that_may
from accounts.services.roles import DEFINES, role_create, role_delete, role_update

_TAKE = OpenApiParameter(
    "take", OpenApiTypes.BOOL, description="Take it from everybody who has it first; else it is refused while in use."
)


class RoleSerializer(serializers.Serializer[Any]):
    """A role, and what it allows. The built-in ones have no id and are the same in every organization."""

    id = serializers.UUIDField(allow_null=True)
    name = serializers.CharField()
    description = serializers.CharField()
    built_in = serializers.BooleanField(help_text="It cannot be changed or deleted.")
    actions = serializers.ListField(child=serializers.CharField())
    scopes = serializers.ListField(
        child=serializers.CharField(),
        help_text="Where it can be given: organization, project, virtual-cluster. "
        "There it allows those of its actions that can be done there.",
    )
    kubeconfig_level = serializers.CharField(
        help_text="The most that a kubeconfig by it gives inside a cluster: admin, view or none."
    )
    bindings = serializers.IntegerField(allow_null=True, help_text="How often it was given; null for built-in ones.")
    created_at = serializers.DateTimeField(allow_null=True)


@extend_schema_serializer(many=False)
class RoleList(serializers.Serializer[Any]):
    """All of them; there are no further pages."""

    results = RoleSerializer(many=True)


class RoleUpdate(StrictSerializer):
    """What can be changed of a role of the organization's own."""

    description = serializers.CharField(max_length=200, allow_blank=True, required=False)
    actions = serializers.ListField(
        child=serializers.CharField(max_length=60),
        max_length=100,
        help_text="What it allows, such as virtualcluster.view; all of it. Nothing that you may not do yourself.",
    )


class RoleCreate(RoleUpdate):
    """A new role."""

    name = NameField()


class RoleResource(Resource[Any]):
    """Roles that can be given in an organization, its projects and clusters: the built-in ones, and its own."""

    serializer_class = RoleSerializer
    pagination_class = None
    lookup_url_kwarg = "role"
    lookup_value_converter = "str"
    further_refusals = {"destroy": ("409",), "partial_update": ("409",)}
    change_parameters = ("take",)

    def get_queryset(self) -> QuerySet[Role]:
        return Role.objects.none()  # the document is made by it; built-in roles are no rows

    @extend_schema(operation_id="organizations_roles_list", responses=RoleList, filters=False)
    def list(self, request: Request, organization: UUID) -> Response:
        """Every role that can be given there, the built-in ones first."""
        roles = roles_listed(self._organization(organization))
        return Response({"results": RoleSerializer(roles, many=True).data})

    @extend_schema(operation_id="organizations_roles_retrieve", responses=RoleSerializer)
    def retrieve(self, request: Request, organization: UUID, role: str) -> Response:
        """One role, by id or name."""
        place = self._organization(organization)
        built_in = next((each for each in built_in_roles() if each.name == role), None)
        return Response(RoleSerializer(built_in or role_listed(self._own(place, role))).data)

    @extend_schema(operation_id="organizations_roles_create", request=RoleCreate, responses={201: RoleSerializer})
    @idempotent
    def create(self, request: Request, organization: UUID) -> Response:
        """Defines a role. For who gives roles in the organization, and with nothing that they may not do themselves."""
        place, body = self._defining(organization), self.body(RoleCreate)
        made = role_create(actor=self.actor, organization=place, **body)
        headers = {"Location": f"{request.path}/{made.pk}"}
        return Response(self._shown(place, made), status=HTTP_201_CREATED, headers=headers)

    @extend_schema(operation_id="organizations_roles_partial_update", request=RoleUpdate, responses=RoleSerializer)
    def partial_update(self, request: Request, organization: UUID, role: str) -> Response:
        """Changes what a role allows: at once, for everybody who has it."""
        place = self._defining(organization)
        changed, body = self._to_change(place, role), self.body(RoleUpdate)
        if body:
            changed = role_update(actor=self.actor, role=changed, now=timezone.now(), **body)
        return Response(self._shown(place, changed))

    @extend_schema(operation_id="organizations_roles_destroy", request=None, responses={204: None}, parameters=[_TAKE])
    def destroy(self, request: Request, organization: UUID, role: str) -> Response:
        """Deletes a role that nobody has, or with `take=true` one that is taken from everybody first."""
        place = self._defining(organization)
        gone = self._to_change(place, role)
        self.no_body()
        role_delete(actor=self.actor, role=gone, now=timezone.now(), take=self._take(request))
        return Response(status=204)

    def _take(self, request: Request) -> bool:
        given = request.query_params.get("take", "false")
        if given not in ("true", "false"):
            raise InvalidInput("This is neither yes nor no.", field="take", accepted="true or false")
        return given == "true"

    def _organization(self, key: UUID) -> Organization:
        found = roles_seen_in(self.user).filter(pk=key).first()
        if found is None:
            raise NotFound(UNSEEN)
        return found

    def _own(self, organization: Organization, text: str) -> Role:
        found = role_found(organization, text)
        if found is None:
            raise NotFound(UNSEEN)
        self.looked_at = found
        return found

    def _defining(self, key: UUID) -> Organization:
        """Who sees the roles and may not define any is told so, also where they do not see the organization itself."""
        found = self._organization(key)
        if not allowed(self.user, DEFINES, found):
            raise NotAllowed(
                f"You may not define roles of {found.name}.",
                hint=f"It takes one of these roles: {', '.join(roles_that_may(DEFINES))}.",
                action=DEFINES,
                subject=found,
            )
        return found

    def _to_change(self, organization: Organization, text: str) -> Role:
        if any(each.name == text for each in built_in_roles()):
            raise Conflict(
                f"{text} is a role of Marina's own and is the same everywhere.",
                hint="Make a role of another name with what it should allow.",
            )
        return self._own(organization, text)

    def _shown(self, organization: Organization, role: Role) -> Any:
        return RoleSerializer(role_listed(role_found(organization, str(role.pk)) or role)).data
