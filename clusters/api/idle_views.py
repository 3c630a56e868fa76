"""/virtual-clusters/{id}/signals and /writers: whether it is used, and who writes inside."""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.resources import ListedResource
from accounts.errors import InvalidInput
from clusters.api.gateway_views import OfOneCluster
from clusters.api.idle_serializers import IdleSerializer, KnownWriterSerializer, WriterCorrection
from clusters.api.virtual_cluster_serializers import VirtualClusterSerializer
from clusters.models import KnownWriter, VirtualCluster
from clusters.selectors import virtual_clusters_list
from clusters.selectors_idle import idle_told, known_writers_list
from clusters.services.known_writers import known_writer_correct


class SignalResource(OfOneCluster):
    """Whether one virtual cluster is used."""

    serializer_class = VirtualClusterSerializer

    def visible(self) -> QuerySet[VirtualCluster]:
        return virtual_clusters_list(self.user)

    @extend_schema(operation_id="virtual_clusters_signals", responses={200: IdleSerializer})
    def signals(self, request: Request, cluster: UUID) -> Response:
        """Every kind of signal of its use, with when and who, and until when that is known."""
        told = idle_told(self.cluster(), now=timezone.now())
        last = told.last
        shown = {
            "last_used_at": last.last_used_at if last else None,
            "last_used_by": last.who if last else "",
            "complete": not told.missing,
            "missing": [f"{each.kind.value}: {each.reason}" for each in told.missing],
            "signals": [
                {
                    "kind": each.kind.value,
                    "required": each.kind in told.required,
                    "state": each.state.value,
                    "reason": each.reason,
                    "last_used_at": each.last_used_at,
                    "who": each.who,
                    "observed_at": each.observed_at,
                }
                for each in told.signals
            ],
        }
        return Response(IdleSerializer(shown).data)


class KnownWriterResource(OfOneCluster, ListedResource[KnownWriter]):
    """Who writes in one virtual cluster: field managers, and whether what they write is use."""

    serializer_class = KnownWriterSerializer
    lookup_url_kwarg = "writer"
    search_fields = ("manager",)
    ordering_fields: ClassVar[tuple[str, ...]] = ("last_write_at", "manager")
    ordering = ("-last_write_at",)

    def visible(self) -> QuerySet[KnownWriter]:
        return known_writers_list(self.cluster())

    @extend_schema(operation_id="virtual_clusters_writers_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Who wrote in it, the last one first, as the last survey found it."""
        return super().list(request, *args, **kwargs)

    @extend_schema(operation_id="virtual_clusters_writers_retrieve")
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One of them."""
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(
        operation_id="virtual_clusters_writers_correct",
        request=WriterCorrection,
        responses={200: KnownWriterSerializer},
    )
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Says whose it is, whatever was learnt; when the cluster was last changed is brought in line at once."""
        body = self.body(WriterCorrection)
        if "verdict" not in body:
            raise InvalidInput("Nothing is said of the writer.", field="verdict", accepted="a verdict, or null")
        row = known_writer_correct(
            writer=self.get_object(), verdict=body["verdict"], actor=self.actor, now=timezone.now()
        )
        return Response(self.shown(row))
