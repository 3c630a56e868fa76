"""Virtual clusters that were found on hosts and that Marina did not make, over the API."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import platform_staff
from accounts.api.actor import user_of
from accounts.api.fields import ReferenceField
from accounts.api.filters import ReferenceFilter
from accounts.api.idempotency import idempotent
from accounts.api.resources import ListedResource
from accounts.api.strict import StrictSerializer
from accounts.models import User
from accounts.selectors import users_visible_to, uuid_of
from clusters.api.fields import ClusterNameField, HostProjectField
from clusters.api.operation_serializers import NamedSerializer, OperationSerializer
from clusters.api.operation_views import OperationAnswer, operation_accepted
from clusters.api.virtual_cluster_serializers import VirtualClusterSerializer
from clusters.models import DiscoveredCluster
from clusters.selectors import discovered_list
from clusters.services.discovered import discovered_adopt, discovered_ignore


class DiscoveredClusterSerializer(serializers.ModelSerializer[DiscoveredCluster]):
    """One that a survey found."""

    host = NamedSerializer()

    class Meta:
        model = DiscoveredCluster
        fields: ClassVar[list[str]] = [
            "id",
            "host",
            "namespace",
            "release",
            "workload",
            "chart_version",
            "kubernetes_version",
            "image",
            "paused",
            "ignored",
            "seen_at",
            "created_at",
        ]


@extend_schema_field(OpenApiTypes.STR)
class OwnerField(ReferenceField):
    """A user by id or handle. Platform staff, who give clusters to tenants, may name anybody active."""

    noun = "user"
    accepted = "a user's id or handle"

    def find(self, text: str) -> User | None:
        asker = user_of(self.context["request"])
        among = User.objects.filter(is_active=True) if platform_staff(asker) else users_visible_to(asker)
        key = uuid_of(text)
        return among.filter(handle=text).first() if key is None else among.filter(pk=key).first()


class AdoptSerializer(StrictSerializer):
    """To whom it is given."""

    project = HostProjectField()
    name = ClusterNameField(required=False, help_text="Empty: the release's.")
    owner = OwnerField(required=False, allow_null=True, help_text="A user's id or handle; empty: whoever adopts it.")


class DiscoveredFilter(filters.FilterSet):
    """By host, and by whether somebody said that they are none of Marina's business."""

    host = ReferenceFilter(by_name="host__name", help_text="Id or name.")
    ignored = filters.BooleanFilter()

    class Meta:
        model = DiscoveredCluster
        fields: ClassVar[list[str]] = []


class AdoptAnswer(OperationAnswer):
    """The operation that reads what it is like, and the virtual cluster that it is from now on."""

    virtual_cluster = VirtualClusterSerializer()


class DiscoveredClusterViewSet(ListedResource[DiscoveredCluster]):
    """Virtual clusters found on hosts, which Marina did not make and leaves alone."""

    serializer_class = DiscoveredClusterSerializer
    filterset_class = DiscoveredFilter
    search_fields: ClassVar[tuple[str, ...]] = ("namespace", "release")
    ordering_fields: ClassVar[tuple[str, ...]] = ("created_at", "namespace", "release")

    def visible(self) -> QuerySet[DiscoveredCluster]:
        return discovered_list(self.user)

    @extend_schema(request=AdoptSerializer, responses={202: AdoptAnswer})
    @action(detail=True, methods=["post"])
    @idempotent
    def adopt(self, request: Request, pk: str) -> Response:
        """Takes it under Marina's care, unchanged, as a virtual cluster of a project."""
        found, body = self.get_object(), self.body(AdoptSerializer)
        work = discovered_adopt(discovered=found, actor=self.actor, now=timezone.now(), **body)
        # platform staff see tenants' clusters nowhere else: this is the one that they just handed over
        cluster: dict[str, Any] = VirtualClusterSerializer(work.virtual_cluster).data
        return operation_accepted(OperationSerializer(work.operation).data, work.operation, virtual_cluster=cluster)

    @extend_schema(request=None, responses={200: DiscoveredClusterSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def ignore(self, request: Request, pk: str) -> Response:
        """Says that it is none of Marina's business."""
        return self._ignored(True)

    @extend_schema(request=None, responses={200: DiscoveredClusterSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def unignore(self, request: Request, pk: str) -> Response:
        """Says that it is Marina's business after all."""
        return self._ignored(False)

    def _ignored(self, ignored: bool) -> Response:
        self.no_body()
        row = discovered_ignore(discovered=self.get_object(), actor=self.actor, ignored=ignored)
        return Response(self.shown(row))
