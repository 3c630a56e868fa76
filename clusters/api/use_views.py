"""/virtual-clusters/{id}/uses"""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import UNSEEN
from accounts.api.resources import ListedResource
from accounts.errors import NotFound
from clusters.api.glass_noting import GlassNoted
from clusters.api.use_serializers import ClusterUseSerializer
from clusters.models import ClusterUse
from clusters.selectors import virtual_clusters_list
from clusters.selectors_books import cluster_uses_list


class ClusterUseResource(GlassNoted, ListedResource[ClusterUse]):
    """Who uses one virtual cluster through the gateway."""

    serializer_class = ClusterUseSerializer
    search_fields = ("user__handle", "user__name", "client")
    ordering_fields: ClassVar[tuple[str, ...]] = ("last_used_at",)
    ordering = ("-last_used_at",)

    def visible(self) -> QuerySet[ClusterUse]:
        found = virtual_clusters_list(self.user).filter(pk=self.kwargs["cluster"]).first()
        if found is None:
            raise NotFound(UNSEEN)
        self.cluster_reached(found.pk)
        return cluster_uses_list(found)

    @extend_schema(operation_id="virtual_clusters_uses_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Who used it, with what program, when last, and how often; the last use first.

        A few seconds late. What the gateway itself refused, as for a cluster that is asleep, is no use.
        """
        return super().list(request, *args, **kwargs)
