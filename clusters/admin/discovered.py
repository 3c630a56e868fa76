"""Virtual clusters that were found on hosts: looked at, and ignored. Whoever adopts one names a project: API or CLI."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin.service_admin import ReadOnlyAdmin, ServiceAdmin, admin_actor
from clusters.models import DiscoveredCluster
from clusters.services.discovered import discovered_ignore


class DiscoveredClusterAdmin(ReadOnlyAdmin, ServiceAdmin):
    """What surveys found and Marina did not make."""

    list_display = (
        "namespace",
        "release",
        "host",
        "chart_version",
        "kubernetes_version",
        "paused",
        "ignored",
        "seen_at",
    )
    list_filter = ("host", "ignored", "paused", "chart_version")
    list_select_related = ("host",)
    search_fields = ("namespace", "release", "host__name")
    fields = (
        "host",
        "namespace",
        "release",
        "workload",
        "uid",
        "chart_version",
        "kubernetes_version",
        "image",
        "paused",
        "ignored",
        "seen_at",
        "created_at",
    )
    actions = ("ignore", "unignore")

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Who may change hosts by Django's own permissions; the services ask for more."""
        return bool(request.user.has_perm("clusters.change_hostcluster"))

    @admin.action(description="Ignore: none of Marina's business", permissions=["operate"])
    def ignore(self, request: HttpRequest, queryset: QuerySet[DiscoveredCluster]) -> None:
        """Nothing on the host is changed by it."""
        self._ignore(request, queryset, ignored=True)

    @admin.action(description="Ignore no longer", permissions=["operate"])
    def unignore(self, request: HttpRequest, queryset: QuerySet[DiscoveredCluster]) -> None:
        """They are listed among those to be adopted again."""
        self._ignore(request, queryset, ignored=False)

    def _ignore(self, request: HttpRequest, queryset: QuerySet[DiscoveredCluster], *, ignored: bool) -> None:
        for row in queryset.select_related("host"):
            discovered_ignore(discovered=row, actor=admin_actor(request), ignored=ignored)
            messages.success(request, f"{row} is {'ignored' if ignored else 'ignored no longer'}.")
