"""Host clusters over the API."""

from typing import ClassVar

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.idempotency import idempotent
from accounts.api.preconditions import etag_set, if_match_check
from accounts.api.resources import ListedResource
from accounts.api.since import Changes
from accounts.errors import InvalidInput
from clusters.api.host_serializers import (
    CredentialSerializer,
    HostChangeSerializer,
    HostClusterSerializer,
    HostConnectSerializer,
)
from clusters.api.operation_serializers import OperationSerializer
from clusters.api.operation_views import OperationAnswer, operation_accepted
from clusters.host_roles import manifest_render
from clusters.lifecycle.ingress_metrics import SERVICE_ACCEPTED, IngressMetrics, service_check
from clusters.models import HostCluster, HostMode, HostPhase
from clusters.names import name_validate
from clusters.selectors import host_tombstones, hosts_list
from clusters.services.hosts import (
    HostConnecting,
    HostSettings,
    host_connect,
    host_credential_replace,
    host_disconnect,
    host_update,
)


class HostFilter(filters.FilterSet):
    """By name, phase and region."""

    name = filters.CharFilter()
    phase = filters.MultipleChoiceFilter(choices=HostPhase.choices)
    region = filters.CharFilter()

    class Meta:
        model = HostCluster
        fields: ClassVar[list[str]] = []


class HostAnswer(OperationAnswer):
    """The operation that connects it, and the host."""

    host_cluster = HostClusterSerializer()


class HostClusterViewSet(ListedResource[HostCluster]):
    """The clusters that virtual ones are placed on."""

    serializer_class = HostClusterSerializer
    filterset_class = HostFilter
    search_fields: ClassVar[tuple[str, ...]] = ("name", "region")
    ordering_fields: ClassVar[tuple[str, ...]] = ("created_at", "name")
    changes: ClassVar[Changes] = Changes(
        kind="host-cluster", told=host_tombstones, also=("organization", "credential"), filters=("name",)
    )

    def visible(self) -> QuerySet[HostCluster]:
        return hosts_list(self.user)

    @extend_schema(request=HostConnectSerializer, responses={202: HostAnswer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Connects a host by a kubeconfig file. Form and content are checked at once, the host by the operation."""
        body = self.body(HostConnectSerializer)
        offered = body.pop("offered_to", {})
        connecting = host_connect(
            kubeconfig=body.pop("kubeconfig"),
            settings=HostSettings(
                **{**body, "namespaces": tuple(body.get("namespaces", ()))},
                offered_to_all=offered.get("all"),
                offered_to_organizations=tuple(offered.get("organizations", ())),
                offered_to_projects=tuple(offered.get("projects", ())),
            ),
            actor=self.actor,
            now=timezone.now(),
        )
        return self._answer(connecting)

    @extend_schema(request=HostChangeSerializer, responses={200: HostClusterSerializer})
    def partial_update(self, request: Request, pk: str) -> Response:
        """Changes what an administrator says of a host. What runs there is not touched."""
        body = self.body(HostChangeSerializer)
        offered = body.pop("offered_to", {})
        for noun, value in offered.items():
            body[f"offered_to_{noun}"] = value if noun == "all" else tuple(value)
        if "ingress_metrics" in body:
            body["ingress_metrics"] = body["ingress_metrics"] or {}
        with transaction.atomic():
            seen = self.get_object()
            if_match_check(request, HostCluster.objects.select_for_update(of=("self",)).get(pk=seen.pk))
            changed = host_update(host=seen, actor=self.actor, **body)
        return etag_set(Response(self.shown(changed)), changed)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Forgets a host that holds nothing. Nothing is changed on the host itself."""
        with transaction.atomic():
            seen = self.get_object()
            if_match_check(request, HostCluster.objects.select_for_update(of=("self",)).get(pk=seen.pk))
            host_disconnect(host=seen, actor=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=CredentialSerializer, responses={202: HostAnswer})
    @action(detail=True, methods=["put"])
    @idempotent
    def credential(self, request: Request, pk: str) -> Response:
        """Gives a host a new credential. The old one stays in use until the new one is proved."""
        body = self.body(CredentialSerializer)
        connecting = host_credential_replace(
            host=self.get_object(), kubeconfig=body["kubeconfig"], actor=self.actor, now=timezone.now()
        )
        return self._answer(connecting)

    @extend_schema(
        parameters=[
            OpenApiParameter("mode", str, enum=HostMode.values),
            OpenApiParameter("namespaces", str, description="Comma separated; mode namespaces only."),
            OpenApiParameter("long_lived", bool, description="Adds a Secret with a token that does not expire."),
            OpenApiParameter(
                "traffic",
                str,
                description=f"Adds the right to read counters of this ingress controller: {SERVICE_ACCEPTED}.",
            ),
        ],
        responses={(200, "application/yaml"): OpenApiTypes.STR},
    )
    @action(detail=False, methods=["get"], filterset_class=None, pagination_class=None)
    def manifest(self, request: Request) -> HttpResponse:
        """The least-privilege manifest that an administrator applies on a host, as YAML."""
        mode = request.query_params.get("mode", HostMode.CLUSTER)
        if mode not in HostMode.values:
            accepted = f"one of {', '.join(HostMode.values)}"
            raise InvalidInput(f"There is no mode {mode}.", field="mode", accepted=accepted)
        namespaces = [name for name in request.query_params.get("namespaces", "").split(",") if name]
        for name in namespaces:
            name_validate(name, "namespaces", length_max=63)
        long_lived = request.query_params.get("long_lived", "false").lower() in ("1", "true", "yes")
        traffic = request.query_params.get("traffic", "")
        if traffic:
            service_check(traffic, field="traffic")
        text = manifest_render(
            mode="namespaces" if mode == HostMode.NAMESPACES else "cluster",
            namespaces=namespaces,
            long_lived=long_lived,
            traffic=IngressMetrics(service=traffic) if traffic else None,
        )
        return HttpResponse(text, content_type="application/yaml")

    def _answer(self, connecting: HostConnecting) -> Response:
        shown = OperationSerializer(connecting.operation).data
        return operation_accepted(shown, connecting.operation, host_cluster=self.shown(connecting.host))
