"""/exports, and /virtual-clusters/{id}/exports"""

from collections.abc import Iterator
from typing import Any, ClassVar, Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.filters import ProjectFilter, ReferenceFilter
from accounts.api.idempotency import idempotent
from accounts.api.resources import ListedResource
from accounts.api.since import Changes
from clusters.api.export_serializers import ExportAnswer, ExportDetailSerializer, ExportSerializer
from clusters.api.gateway_views import NO_STORE, OfOneCluster
from clusters.api.glass_noting import GlassNoted
from clusters.api.operation_serializers import OperationSerializer
from clusters.api.operation_views import operation_accepted
from clusters.exports.archive import archive
from clusters.models import Export, ExportCause, ExportState
from clusters.selectors import operations_list
from clusters.selectors_exports import export_manifest, export_objects, export_tombstones, exports_list
from clusters.services.exports import export_read, export_remove, export_start

TAR_GZ: Final = "application/gzip"


class ExportFilter(filters.FilterSet):
    """?virtual_cluster= takes an id, also of a deleted one."""

    virtual_cluster = filters.UUIDFilter(field_name="virtual_cluster_id")
    cluster = filters.CharFilter(field_name="virtual_cluster__name", help_text="The cluster's name.")
    project = ProjectFilter(help_text="Id, organization/name, or a name alone.")
    organization = ReferenceFilter(field_name="organization", by_name="organization__name", help_text="Id or name.")
    operation = filters.UUIDFilter(field_name="operation_id")
    cause = filters.MultipleChoiceFilter(choices=ExportCause.choices)
    state = filters.MultipleChoiceFilter(choices=ExportState.choices)

    class Meta:
        model = Export
        fields: ClassVar[list[str]] = []


class TarRenderer(JSONRenderer):
    """What is asked for by its type; refusals are JSON all the same."""

    media_type = TAR_GZ
    format = "tar.gz"


class ExportResource(GlassNoted, ListedResource[Export]):
    """What users owned in their virtual clusters at a moment, kept encrypted; also of clusters that were deleted."""

    serializer_class = ExportSerializer
    filterset_class = ExportFilter
    search_fields: ClassVar[tuple[str, ...]] = ("virtual_cluster__name", "project__name")
    ordering_fields: ClassVar[tuple[str, ...]] = ("created_at", "size", "expires_at")
    changes: ClassVar[Changes] = Changes(
        kind="export", told=export_tombstones, filters=("virtual_cluster", "project", "organization", "cause")
    )
    further_refusals: ClassVar[dict[str, tuple[str, ...]]] = {
        "content": ("403", "409", "410", "503"),
        "destroy": ("403", "409"),
    }

    def visible(self) -> QuerySet[Export]:
        found = exports_list(self.user)
        return found if self.action == "retrieve" else found.defer("key", "spec", "left_out", "counts")

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Any]]:
        return ExportDetailSerializer if self.action == "retrieve" else ExportSerializer

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Erases an export's file and its key for good; the record stays. For who may delete its cluster."""
        found = self.get_object()
        self.no_body()
        export_remove(export=found, actor=self.actor, now=timezone.now())
        return Response(status=204)

    @extend_schema(
        responses={(200, TAR_GZ): OpenApiResponse(OpenApiTypes.BINARY, description="A tar.gz of YAML files.")}
    )
    @action(detail=True, methods=["get"], renderer_classes=[TarRenderer, JSONRenderer])
    def content(self, request: Request, pk: str) -> StreamingHttpResponse:
        """All that is in it, Secrets too, as files that `kubectl apply --recursive` takes. It is audited.

        The whole file is seen to be undamaged before the first byte is sent.
        """
        if request.method == "HEAD":  # would be written down as read
            raise MethodNotAllowed("HEAD")
        export = self.get_object()
        export_read(export=export, actor=self.actor)
        name, manifest = _file_name(export), export_manifest(export)
        answer = StreamingHttpResponse(_archived(export, name, manifest), content_type=TAR_GZ, headers=NO_STORE)
        answer["Content-Disposition"] = f'attachment; filename="{name}.tar.gz"'
        return answer


def _file_name(export: Export) -> str:
    return f"{export.virtual_cluster.name}-{export.finished_at or export.created_at:%Y%m%d-%H%M%S}"


def _archived(export: Export, name: str, manifest: dict[str, Any]) -> Iterator[bytes]:
    when = export.finished_at or export.created_at
    return archive(export_objects(export), manifest, folder=name, name=str(export.virtual_cluster), when=when)


class ClusterExportResource(OfOneCluster, ListedResource[Export]):
    """The exports of one virtual cluster."""

    serializer_class = ExportSerializer
    ordering_fields: ClassVar[tuple[str, ...]] = ("created_at", "size", "expires_at")
    further_refusals: ClassVar[dict[str, tuple[str, ...]]] = {"create": ("403", "409")}

    def visible(self) -> QuerySet[Export]:
        return exports_list(self.user).filter(virtual_cluster=self.cluster()).defer("key", "spec", "left_out", "counts")

    @extend_schema(operation_id="virtual_clusters_exports_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The exports of this cluster, newest first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        operation_id="virtual_clusters_exports_create", request=None, responses={200: ExportAnswer, 202: ExportAnswer}
    )
    @idempotent
    def create(self, request: Request, cluster: UUID) -> Response:
        """Starts to export all that users own in it. Volumes' data is not part of it. 200 where one waits already."""
        found = self.cluster()
        self.no_body()
        work = export_start(virtual_cluster=found, actor=self.actor, now=timezone.now())
        operation = operations_list(self.user).filter(pk=work.operation.pk).first() or work.operation
        shown = OperationSerializer(operation).data
        answer = operation_accepted(shown, work.operation, export=self.shown(work.export))
        if not work.created:
            answer.status_code = 200
        return answer
