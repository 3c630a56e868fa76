"""/region-offers"""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.filters import ProjectFilter, ReferenceFilter
from accounts.api.idempotency import idempotent
from accounts.api.references import OrganizationReference, ProjectReference
from accounts.api.resources import ListedResource
from accounts.api.strict import StrictSerializer
from clusters.api.fields import HostOrganizationField, HostProjectField
from clusters.models import RegionOffer
from clusters.selectors import region_offers_list
from clusters.services.region_offers import region_offer_create, region_offer_delete


class RegionOfferSerializer(serializers.ModelSerializer[RegionOffer]):
    """A region whose platform hosts, present and future, are offered to an organization or to a project."""

    organization = OrganizationReference(read_only=True, allow_null=True)
    project = ProjectReference(read_only=True, allow_null=True)
    hosts = serializers.IntegerField(read_only=True, default=0, help_text="How many hosts of the platform are there.")

    class Meta:
        model = RegionOffer
        fields = ("id", "region", "organization", "project", "hosts", "created_at")
        read_only_fields = fields


class RegionOfferCreate(StrictSerializer):
    """A region to offer: to an organization, or to a project."""

    region = serializers.CharField(max_length=60)
    organization = HostOrganizationField(required=False, help_text="Id or name.")
    project = HostProjectField(required=False, help_text="Id, or organization/name.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("organization" in attrs) == ("project" in attrs):
            told = "Exactly one of `organization` and `project` is needed."
            raise serializers.ValidationError({"organization": told})
        return attrs


class RegionOfferFilter(filters.FilterSet):
    """By region and by whom it is offered to."""

    region = filters.CharFilter()
    organization = ReferenceFilter(by_name="organization__name", help_text="Id or name.")
    project = ProjectFilter(help_text="Id, organization/name, or a name alone.")

    class Meta:
        model = RegionOffer
        fields: ClassVar[list[str]] = []


class RegionOfferViewSet(ListedResource[RegionOffer]):
    """Whom regions are offered to."""

    serializer_class = RegionOfferSerializer
    filterset_class = RegionOfferFilter
    search_fields: ClassVar[tuple[str, ...]] = ("region",)
    ordering_fields: ClassVar[tuple[str, ...]] = ("created_at", "region")

    def visible(self) -> QuerySet[RegionOffer]:
        return region_offers_list(self.user)

    @extend_schema(request=RegionOfferCreate, responses={201: RegionOfferSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Offers all hosts that the platform has in a region, now and later. For platform staff."""
        body = self.body(RegionOfferCreate)
        to = body.get("organization") or body["project"]
        return self.created(region_offer_create(region=body["region"], to=to, actor=self.actor))

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Ends the offer of a region. What runs there goes on. For platform staff."""
        offer = self.get_object()
        self.no_body()
        region_offer_delete(offer=offer, actor=self.actor)
        return Response(status=204)
