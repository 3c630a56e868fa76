"""What is known of the use of virtual clusters: looked at, and corrected by the API and the command line."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin.service_admin import ReadOnlyAdmin
from clusters.models import VirtualClusterPhase


class OfLivingClusters(ReadOnlyAdmin):
    """Without those of clusters that were deleted, whose names others have by now."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.exclude(virtual_cluster__phase=VirtualClusterPhase.DELETED)


class IdleSignalAdmin(OfLivingClusters):
    """Each kind of use of each cluster, as it was found."""

    list_display = ("virtual_cluster", "kind", "last_used_at", "who", "observed_at", "state", "reason")
    list_filter = ("kind", "state", "last_used_at", "observed_at")
    list_select_related = ("virtual_cluster__project__organization",)
    search_fields = ("virtual_cluster__name", "who")
    fields = (*list_display, "looked_at")


class KnownWriterAdmin(OfLivingClusters):
    """Who writes inside virtual clusters, and whether that is use."""

    list_display = ("virtual_cluster", "manager", "verdict", "corrected", "last_write_at", "last_use_at", "wrote")
    list_filter = ("verdict", "corrected", "last_write_at")
    list_select_related = ("virtual_cluster__project__organization", "corrected_by")
    search_fields = ("virtual_cluster__name", "manager")
    fields = (*list_display, "kinds", "first_seen_at", "corrected_by", "corrected_at")
