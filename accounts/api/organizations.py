"""/organizations"""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import staff_require
from accounts.api.fields import NameField
from accounts.api.filters import OrganizationFilters
from accounts.api.idempotency import idempotent
from accounts.api.people import user_given
from accounts.api.resources import ListedResource
from accounts.api.since import Changes
from accounts.api.strict import StrictSerializer
from accounts.models import Organization
from accounts.selectors import organization_tombstones, organizations_visible_to
from accounts.services.organizations import organization_create, organization_delete, organization_update


class OrganizationSerializer(serializers.ModelSerializer[Organization]):
    """An organization."""

    class Meta:
        model = Organization
        fields = (
            "id",
            "name",
            "display_name",
            "personal_projects",
            "personal_project_clusters",
            "personal_project_lifetime_days",
            "member_projects",
            "token_maximum_days",
            "created_at",
        )
        read_only_fields = fields


class OrganizationNames(StrictSerializer):
    """What an organization is called."""

    name = NameField()
    display_name = serializers.CharField(max_length=150, allow_blank=True, required=False)


class OrganizationUpdate(OrganizationNames):
    """What can be changed of an organization."""

    token_maximum_days = serializers.IntegerField(
        min_value=1,
        max_value=3650,
        allow_null=True,
        required=False,
        help_text="So many days a token that reaches the organization holds at most; null: as the platform has it.",
    )
    personal_projects = serializers.BooleanField(
        required=False, help_text="Whoever belongs to it gets a project of their own when they first sign in."
    )
    personal_project_clusters = serializers.IntegerField(
        required=False, min_value=0, max_value=1000, help_text="How many clusters a new personal project may have."
    )
    personal_project_lifetime_days = serializers.IntegerField(
        required=False, min_value=1, max_value=3650, help_text="How long clusters of a new personal project live."
    )
    member_projects = serializers.IntegerField(
        required=False, min_value=0, max_value=1000, help_text="How many projects a member may make; 0: none."
    )


class OrganizationCreate(OrganizationNames):
    """A new organization."""

    admin = serializers.CharField(
        required=False, help_text="Handle or id of its first admin; else whoever makes it is that."
    )


class OrganizationResource(ListedResource[Organization]):
    """Organizations in which you have a role."""

    serializer_class = OrganizationSerializer
    filterset_class = OrganizationFilters
    search_fields = ("name", "display_name")
    ordering_fields = ("name", "created_at")
    changes = Changes(kind="organization", told=organization_tombstones)

    def visible(self) -> QuerySet[Organization]:
        return organizations_visible_to(self.user)

    @extend_schema(request=OrganizationCreate, responses={201: OrganizationSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Makes an organization. For platform staff."""
        body = self.body(OrganizationCreate)
        staff_require(self.actor, "create organizations")
        admin = user_given(body.pop("admin"), "admin") if "admin" in body else None
        return self.created(organization_create(actor=self.actor, admin=admin, now=timezone.now(), **body))

    @extend_schema(request=OrganizationUpdate, responses=OrganizationSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Changes an organization."""
        organization, body = self.get_object(), self.body(OrganizationUpdate)
        return Response(self.shown(organization_update(actor=self.actor, organization=organization, **body)))

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Deletes an organization that has no projects and no hosts."""
        organization = self.get_object()
        self.no_body()
        organization_delete(actor=self.actor, organization=organization)
        return Response(status=204)
