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
        fields = ("id", "name", "display_name", "created_at")
        read_only_fields = fields


class OrganizationUpdate(StrictSerializer):
    """What can be changed of an organization."""

    name = NameField()
    display_name = serializers.CharField(max_length=150, allow_blank=True, required=False)


class OrganizationCreate(OrganizationUpdate):
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
