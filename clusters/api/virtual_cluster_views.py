"""Virtual clusters over the API."""

from typing import Any, ClassVar

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.dry_run import flag_given
from accounts.api.filters import ProjectFilter, ReferenceFilter
from accounts.api.idempotency import idempotent
from accounts.api.preconditions import etag_set, if_match_check
from accounts.api.resources import ListedResource
from accounts.api.since import Changes
from accounts.selectors import uuid_of
from accounts.token_scope import without_limits
from clusters.api.glass_noting import GlassNoted
from clusters.api.operation_serializers import OperationSerializer
from clusters.api.operation_views import OperationAnswer, operation_accepted
from clusters.api.placement_preview import PlacementPreviewRequest, PlacementPreviewSerializer, preview_shown
from clusters.api.sleep_views import SleepActions
from clusters.api.upgrade_views import UpgradeActions
from clusters.api.virtual_cluster_answer import VirtualClusterAnswer
from clusters.api.virtual_cluster_making import cluster_make, spec_given
from clusters.api.virtual_cluster_serializers import (
    KubeconfigGrantSerializer,
    KubeconfigRequestSerializer,
    VirtualClusterChangeSerializer,
    VirtualClusterCreateSerializer,
    VirtualClusterSerializer,
)
from clusters.models import VirtualCluster, VirtualClusterPhase
from clusters.selectors import (
    kubeconfig_grants_list,
    operations_list,
    virtual_cluster_tombstones,
    virtual_clusters_alive,
    virtual_clusters_list,
    virtual_clusters_page,
)
from clusters.services.ceilings import kubeconfig_ceiling_set
from clusters.services.configuring import SpecChange, virtual_cluster_configure
from clusters.services.kubeconfigs import kubeconfig_issue
from clusters.services.placement_preview import placement_preview
from clusters.services.virtual_clusters import (
    ClusterWork,
    VirtualClusterSpec,
    virtual_cluster_delete,
    virtual_cluster_update,
)


class VirtualClusterFilter(filters.FilterSet):
    """Deleted ones are listed only when ?phase=Deleted asks for them."""

    project = ProjectFilter(help_text="Id, organization/name, or a name alone.")
    organization = ReferenceFilter(
        field_name="project__organization", by_name="project__organization__name", help_text="Id or name."
    )
    host = filters.CharFilter(method="by_host", help_text="Id or name of the host it runs on.")
    name = filters.CharFilter()
    phase = filters.MultipleChoiceFilter(choices=VirtualClusterPhase.choices)

    class Meta:
        model = VirtualCluster
        fields: ClassVar[list[str]] = []

    def by_host(self, found: QuerySet[VirtualCluster], name: str, value: str) -> QuerySet[VirtualCluster]:
        host = Q(placements__host_id=value) if uuid_of(value) else Q(placements__host__name=value)
        return found.filter(host, placements__role="active")


class VirtualClusterViewSet(SleepActions, UpgradeActions, GlassNoted, ListedResource[VirtualCluster]):
    """Kubernetes control planes of one's own, on demand."""

    serializer_class = VirtualClusterSerializer
    filterset_class = VirtualClusterFilter
    search_fields: ClassVar[tuple[str, ...]] = ("name", "project__name")
    ordering_fields: ClassVar[tuple[str, ...]] = ("created_at", "name", "phase")
    change_parameters: ClassVar[tuple[str, ...]] = ("purge",)
    changes: ClassVar[Changes] = Changes(
        kind="virtual-cluster",
        told=virtual_cluster_tombstones,
        also=("operations", "placements", "project", "project__organization", "owner_team"),
        ended=lambda cluster: cluster.deleted_at if cluster.phase == VirtualClusterPhase.DELETED else None,
        filters=("project", "organization"),
    )

    def visible(self) -> QuerySet[VirtualCluster]:
        asked = self.request.query_params
        deleted_too = VirtualClusterPhase.DELETED in asked.getlist("phase") or "since" in asked
        if self.action != "list":
            return virtual_clusters_list(self.user)
        return virtual_clusters_page(
            virtual_clusters_list(self.user) if deleted_too else virtual_clusters_alive(self.user)
        )

    @extend_schema(request=VirtualClusterCreateSerializer, responses={202: VirtualClusterAnswer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Starts a new virtual cluster; its operation tells how far it is."""
        return self.answer(cluster_make(request, self.body(VirtualClusterCreateSerializer)))

    @extend_schema(request=PlacementPreviewRequest, responses={200: PlacementPreviewSerializer})
    @action(detail=False, methods=["post"], url_path="placement-preview", filterset_class=None, pagination_class=None)
    def placement_preview(self, request: Request) -> Response:
        """Tells where a virtual cluster would go as things are now, and why not elsewhere. Nothing is made."""
        body = self.body(PlacementPreviewRequest)
        choice = placement_preview(
            project=body["project"],
            spec=VirtualClusterSpec(**spec_given(body.get("spec", {}))),
            host=body.get("host"),
            actor=self.actor,
        )
        return Response(preview_shown(choice))

    @extend_schema(
        request=VirtualClusterChangeSerializer, responses={200: VirtualClusterSerializer, 202: VirtualClusterAnswer}
    )
    @idempotent
    def partial_update(self, request: Request, pk: str) -> Response:
        """Changes labels, deletion protection or ceiling (200), or what is wanted of the cluster itself (202)."""
        body = self.body(VirtualClusterChangeSerializer)
        spec, ceiling = body.pop("spec", None), body.pop("kubeconfig_ceiling", None)
        with transaction.atomic():
            seen = self.get_object()
            if_match_check(request, VirtualCluster.objects.select_for_update().get(pk=seen.pk))
            if ceiling is not None:
                changed = kubeconfig_ceiling_set(virtual_cluster=seen, ceiling=ceiling, actor=self.actor)
                if spec is None and not body:
                    return etag_set(Response(self.shown(changed)), changed)
            if spec is None:
                changed = virtual_cluster_update(virtual_cluster=seen, actor=self.actor, **body)
                return etag_set(Response(self.shown(changed)), changed)
            change = SpecChange(**spec_given(spec))
            work = virtual_cluster_configure(
                virtual_cluster=seen, actor=self.actor, now=timezone.now(), change=change, **body
            )
        return etag_set(self.answer(work), work.virtual_cluster)

    @extend_schema(request=None, responses={200: VirtualClusterAnswer, 202: VirtualClusterAnswer})
    @action(detail=True, methods=["post"])
    @idempotent
    def configure(self, request: Request, pk: str) -> Response:
        """Brings it to what is wanted of it, whatever was done to it on its host. 200 where that waits already."""
        self.no_body()
        return self.answer(
            virtual_cluster_configure(virtual_cluster=self.get_object(), actor=self.actor, now=timezone.now())
        )

    @extend_schema(
        parameters=[OpenApiParameter("purge", bool, description="For good: without an export of what is in it.")],
        responses={200: VirtualClusterAnswer, 202: VirtualClusterAnswer},
    )
    def destroy(self, request: Request, pk: str) -> Response:
        """Starts its deletion, which first exports what is in it. 200 where one is under way."""
        purge = flag_given(request, "purge")
        with transaction.atomic():
            seen = self.get_object()
            if_match_check(request, VirtualCluster.objects.select_for_update().get(pk=seen.pk))
            work = virtual_cluster_delete(virtual_cluster=seen, actor=self.actor, now=timezone.now(), purge=purge)
        return self.answer(work)

    @extend_schema(request=KubeconfigRequestSerializer, responses={202: OperationAnswer})
    @action(detail=True, methods=["post"])
    @idempotent
    def kubeconfigs(self, request: Request, pk: str) -> Response:
        """Starts the making of a kubeconfig for you; fetch it, sealed, from the operation once it Succeeded."""
        body = self.body(KubeconfigRequestSerializer)
        operation = kubeconfig_issue(virtual_cluster=self.get_object(), actor=self.actor, now=timezone.now(), **body)
        return operation_accepted(self._operation(operation.pk), operation)

    @extend_schema(responses=KubeconfigGrantSerializer(many=True), filters=False)
    @kubeconfigs.mapping.get
    def kubeconfigs_given(self, request: Request, pk: str) -> Response:
        """Who has a kubeconfig of it that holds: the person, the level, and until when at the latest."""
        grants = kubeconfig_grants_list(self.get_object(), now=timezone.now())
        page: Any = self.paginate_queryset(grants)
        return self.get_paginated_response(KubeconfigGrantSerializer(page, many=True).data)

    def answer(self, work: ClusterWork) -> Response:
        """The cluster and the operation at work on it: 202, or 200 where nothing was begun."""
        cluster = self.shown(work.virtual_cluster)
        newest = cluster["operation"]  # nearly always the one that was started, or found at work
        same = newest is not None and newest["id"] == str(work.operation.pk)
        shown = newest if same else self._operation(work.operation.pk)
        answer = operation_accepted(shown, work.operation, virtual_cluster=cluster)
        if not work.created:
            answer.status_code = status.HTTP_200_OK
        return answer

    def _operation(self, pk: Any) -> dict[str, Any]:
        """What this request began: told whatever its token leaves, else the answer to what was done were an error."""
        data: dict[str, Any] = OperationSerializer(operations_list(without_limits(self.user)).get(pk=pk)).data
        return data


class SizeSerializer(serializers.Serializer[Any]):
    """One size."""

    name = serializers.CharField()
    description = serializers.CharField()


class ExpirySerializer(serializers.Serializer[Any]):
    """Seconds."""

    minimum = serializers.IntegerField()
    default = serializers.IntegerField()
    maximum = serializers.IntegerField()


class OptionsSerializer(serializers.Serializer[Any]):
    """What can be chosen."""

    kubernetes_versions = serializers.ListField(child=serializers.CharField())
    default_kubernetes_version = serializers.CharField()
    chart_versions = serializers.ListField(child=serializers.CharField())
    chart_version = serializers.CharField()
    sizes = SizeSerializer(many=True)
    exposures = serializers.ListField(child=serializers.CharField())
    kubeconfig_expiry = ExpirySerializer()
