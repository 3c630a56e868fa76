"""/cleanup, and what concerns one cluster: /virtual-clusters/{id}/cleanup, /extension and /cleanup-consent"""

from typing import ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.idempotency import idempotent
from accounts.api.resources import ListedResource, Resource
from accounts.errors import Conflict, InvalidInput
from clusters.api.cleanup_serializers import (
    CleanupItemSerializer,
    CleanupRunSerializer,
    CleanupSwitchChange,
    CleanupSwitchSerializer,
    ExtensionRequest,
    OutlookSerializer,
    PreviewSerializer,
    outlook_shown,
)
from clusters.api.gateway_views import OfOneCluster
from clusters.api.glass_noting import GlassNoted
from clusters.api.virtual_cluster_serializers import VirtualClusterSerializer
from clusters.models import CleanupAction, CleanupItem, CleanupRun, CleanupRunState, CleanupSwitch, VirtualCluster
from clusters.selectors import virtual_clusters_list
from clusters.selectors_lifecycle import cleanup_items_list, cleanup_runs_list
from clusters.services.cleanup import cleanup_stopped, gap_before
from clusters.services.cleanup_keeping import cleanup_consent, virtual_cluster_extend
from clusters.services.cleanup_looking import cluster_outlook, last_run, preview
from clusters.services.cleanup_switching import cleanup_switch, cleanup_switch_set

ALL = OpenApiParameter(
    "all", bool, description="Also clusters with which nothing is done, and why nothing is. False unless given."
)


class PreviewResource(GlassNoted):
    """What the next sweep would do."""

    serializer_class = VirtualClusterSerializer

    def visible(self) -> QuerySet[VirtualCluster]:
        return virtual_clusters_list(self.user)

    @extend_schema(operation_id="cleanup_preview", parameters=[ALL], responses={200: PreviewSerializer}, filters=False)
    def preview(self, request: Request) -> Response:
        """What the next sweep does to the clusters that you see, why, and by which signals. Nothing is changed."""
        now, last = timezone.now(), last_run()
        decided = preview(now=now, user=self.user, everything=_flag(request, "all"))
        for case, _ in decided:
            self.cluster_reached(case.cluster.pk)
        shown = {
            "stopped": cleanup_stopped(),
            "after_gap": gap_before(now),
            "last_run_at": last.started_at if last else None,
            "clusters": [outlook_shown(each) for each in decided],
        }
        return Response(PreviewSerializer(shown).data)


def _flag(request: Request, name: str) -> bool:
    for given in request.query_params:
        if given != name:
            raise InvalidInput("There is no such parameter here.", field=given[:80], accepted=name)
    text = request.query_params.get(name, "false").lower()
    if text not in ("true", "false", "1", "0"):
        raise InvalidInput(f"`{name}` is true or false.", field=name, accepted="true or false")
    return text in ("true", "1")


class CleanupRunFilter(filters.FilterSet):
    """By how it ended."""

    state = filters.MultipleChoiceFilter(choices=CleanupRunState.choices)

    class Meta:
        model = CleanupRun
        fields: ClassVar[list[str]] = []


class CleanupRunResource(ListedResource[CleanupRun]):
    """Reports of sweeps; for platform staff."""

    serializer_class = CleanupRunSerializer
    filterset_class = CleanupRunFilter
    ordering_fields: ClassVar[tuple[str, ...]] = ("started_at",)
    ordering = ("-started_at",)

    def visible(self) -> QuerySet[CleanupRun]:
        return cleanup_runs_list(self.user)


class CleanupItemFilter(filters.FilterSet):
    """By cluster and by what was done."""

    virtual_cluster = filters.UUIDFilter(field_name="virtual_cluster")
    run = filters.UUIDFilter(field_name="run")
    action = filters.MultipleChoiceFilter(choices=CleanupAction.choices)

    class Meta:
        model = CleanupItem
        fields: ClassVar[list[str]] = []


class CleanupItemResource(GlassNoted, ListedResource[CleanupItem]):
    """What sweeps did to the clusters that you see."""

    serializer_class = CleanupItemSerializer
    filterset_class = CleanupItemFilter

    def visible(self) -> QuerySet[CleanupItem]:
        return cleanup_items_list(self.user)


class CleanupSwitchResource(Resource[CleanupSwitch]):
    """Stops all cleanup."""

    serializer_class = CleanupSwitchSerializer

    def visible(self) -> QuerySet[CleanupSwitch]:
        return CleanupSwitch.objects.all()

    @extend_schema(operation_id="cleanup_switch", responses={200: CleanupSwitchSerializer}, filters=False)
    def read(self, request: Request) -> Response:
        """Whether it is stopped, by whom and why: everybody may know."""
        return Response(CleanupSwitchSerializer(cleanup_switch()).data)

    @extend_schema(
        operation_id="cleanup_switch_set", request=CleanupSwitchChange, responses={200: CleanupSwitchSerializer}
    )
    def change(self, request: Request) -> Response:
        """Stops all cleanup, also a run at work before its next deletion, or lets it go on. For platform staff."""
        body = self.body(CleanupSwitchChange)
        switch = cleanup_switch_set(actor=self.actor, now=timezone.now(), **body)
        return Response(CleanupSwitchSerializer(switch).data)


class ClusterCleanupResource(OfOneCluster):
    """What becomes of one cluster."""

    serializer_class = VirtualClusterSerializer

    def visible(self) -> QuerySet[VirtualCluster]:
        return virtual_clusters_list(self.user)

    @extend_schema(operation_id="virtual_clusters_cleanup", responses={200: OutlookSerializer})
    def outlook(self, request: Request, cluster: UUID) -> Response:
        """What the next sweep does to it, why, by which signals, and which policy counts."""
        found = self.cluster()
        decided = cluster_outlook(found, now=timezone.now())
        if decided is None:
            raise Conflict(f"{found} is {found.phase}; nothing more comes of it.")
        return Response(OutlookSerializer(outlook_shown(decided)).data)

    @extend_schema(
        operation_id="virtual_clusters_extend", request=ExtensionRequest, responses={200: VirtualClusterSerializer}
    )
    @idempotent
    def extend(self, request: Request, cluster: UUID) -> Response:
        """Keeps it for so long beyond its date; what was planned is off. Its owner may, whatever their role."""
        body = self.body(ExtensionRequest)
        found = self.cluster()
        kept = virtual_cluster_extend(virtual_cluster=found, seconds=body["by"], actor=self.actor, now=timezone.now())
        return Response(self.shown(kept))

    @extend_schema(
        operation_id="virtual_clusters_cleanup_consent", request=None, responses={200: VirtualClusterSerializer}
    )
    @idempotent
    def consent(self, request: Request, cluster: UUID) -> Response:
        """Says yes to the deletion that was told. Its owner may, whatever their role."""
        self.no_body()
        said = cleanup_consent(virtual_cluster=self.cluster(), actor=self.actor, now=timezone.now())
        return Response(self.shown(said))
