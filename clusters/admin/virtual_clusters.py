"""Virtual clusters: looked at, protected and deleted. People make them by page, command line or API."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts.admin.service_admin import ReadOnlyAdmin, ServiceAdmin, admin_actor
from clusters.admin.cluster_lifecycle import LIFECYCLE_FIELDS, LifecyclePart
from clusters.admin.operation_links import operation_told
from clusters.admin.words import NOTHING, as_json, conditions_in_words, label, lines_of
from clusters.api.upgrade_shown import running_of
from clusters.lifecycle.upgrades import upgrades_available
from clusters.models import Placement, PlacementRole, VirtualCluster
from clusters.move_wish import MoveWish
from clusters.rollouts.wish import RolloutWish
from clusters.services.break_glass import glass_broken
from clusters.services.configuring import virtual_cluster_configure
from clusters.services.migrating import virtual_cluster_migrate, virtual_cluster_migrate_preflight
from clusters.services.upgrading import VersionChange, upgrade_preflight, virtual_cluster_upgrade
from clusters.services.virtual_clusters import virtual_cluster_delete, virtual_cluster_update


class VirtualClusterAdmin(LifecyclePart, ReadOnlyAdmin, ServiceAdmin):
    """Tenants' clusters, as superusers see them for the platform; every action leaves its row in the audit log."""

    list_display = (
        "name",
        "project",
        "phase_told",
        "placed_on",
        "kubernetes_version",
        "upgrades_told",
        "size",
        "owner_told",
        "protected",
        "cleanup_on",
    )
    list_filter = ("phase", "size", "kubernetes_version", "cleanup_state", "project__organization")
    list_select_related = (
        "project__organization",
        "owner_user__service_account__project__organization",
        "owner_team__organization",
    )
    search_fields = ("name", "project__name", "project__organization__name", "owner_user__handle")
    actions = (
        "configure",
        "look_at_upgrade",
        "upgrade",
        "look_at_move",
        "move",
        "sleep",
        "wake",
        "protect",
        "unprotect",
        "delete_clusters",
    )
    readonly_fields = (
        "phase_told",
        "protected",
        "placed_on",
        "upgrades_told",
        "upgrade_planned",
        "owner_told",
        "glass_told",
        "conditions_told",
        "labels_told",
        "host_labels_told",
        "values_told",
        "why_told",
        *LIFECYCLE_FIELDS,
    )
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "id",
                    "name",
                    "project",
                    "owner_told",
                    "creator",
                    "labels_told",
                    "protected",
                    "expires_at",
                    "kubeconfig_ceiling",
                    "glass_told",
                )
            },
        ),
        (
            "Wanted",
            {
                "fields": (
                    "kubernetes_version",
                    "chart_version",
                    "size",
                    "exposure",
                    "wanted_host",
                    "wanted_region",
                    "host_labels_told",
                    "replicas",
                    "values_told",
                    "generation",
                )
            },
        ),
        (
            "Found",
            {
                "fields": (
                    "phase_told",
                    "conditions_told",
                    "placed_on",
                    "why_told",
                    "upgrades_told",
                    "upgrade_channel",
                    "upgrade_planned",
                    "upgrade_blocked",
                    "observed_generation",
                    "created_at",
                    "deleted_at",
                )
            },
        ),
        ("Sleep and cleanup", {"fields": LIFECYCLE_FIELDS}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[VirtualCluster]:
        rows: QuerySet[VirtualCluster] = super().get_queryset(request)
        active = Placement.objects.filter(role=PlacementRole.ACTIVE).select_related("host")
        return rows.prefetch_related(Prefetch("placements", queryset=active, to_attr="active_placements"))

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Who may change clusters by Django's own permissions; the services ask for more."""
        return bool(request.user.has_perm("clusters.change_virtualcluster"))

    @admin.display(description="host")
    def placed_on(self, cluster: Any) -> str:
        """Where it runs."""
        found: list[Placement] = cluster.active_placements
        return f"{found[0].host.name}, namespace {found[0].namespace}" if found else NOTHING

    @admin.display(description="chosen")
    def why_told(self, cluster: Any) -> str:
        """Why this host, and why not the others."""
        return next((placement.why for placement in cluster.active_placements), "") or NOTHING

    @admin.display(description="host labels")
    def host_labels_told(self, cluster: VirtualCluster) -> SafeString | str:
        """Those that its host is to have."""
        return as_json(cluster.wanted_host_labels)

    @admin.display(description="upgrades")
    def upgrades_told(self, cluster: VirtualCluster) -> SafeString | str:
        """Which there are, and why."""
        found = upgrades_available(running_of(cluster), now=timezone.now())
        return lines_of(f"{each.message} {each.in_the_way}".strip() for each in found) if found else NOTHING

    @admin.display(description="upgrade planned")
    def upgrade_planned(self, cluster: VirtualCluster) -> str:
        """What Marina does by itself next."""
        if cluster.upgrade_at is None:
            return NOTHING
        to = RolloutWish(kubernetes_version=cluster.upgrade_to, chart_version=cluster.upgrade_to_chart)
        return f"{to} from {cluster.upgrade_at:%Y-%m-%d %H:%M} UTC on, because of: {cluster.upgrade_cause}"

    @admin.display(description="owner")
    def owner_told(self, cluster: VirtualCluster) -> str:
        """Who answers for it."""
        return cluster.owner_label

    @admin.display(description="broken glass")
    def glass_told(self, cluster: VirtualCluster) -> str:
        """Who of the platform staff is in it at the moment, and why."""
        grants = glass_broken([cluster.pk], now=timezone.now()).select_related("user")
        return " ".join(f"{each.user} until {each.expires_at:%H:%M} UTC: {each.reason}" for each in grants) or NOTHING

    @admin.display(description="phase", ordering="phase")
    def phase_told(self, cluster: VirtualCluster) -> SafeString:
        """As a label."""
        return label(cluster.phase)

    @admin.display(description="deletion protection", ordering="deletion_protection")
    def protected(self, cluster: VirtualCluster) -> str:
        """In a word."""
        return "protected" if cluster.deletion_protection else NOTHING

    @admin.display(description="conditions")
    def conditions_told(self, cluster: VirtualCluster) -> SafeString | str:
        """In words."""
        return conditions_in_words(cluster.conditions)

    @admin.display(description="labels")
    def labels_told(self, cluster: VirtualCluster) -> SafeString | str:
        """As the owner set them."""
        return as_json(cluster.labels)

    @admin.display(description="values")
    def values_told(self, cluster: VirtualCluster) -> SafeString | str:
        """Of the chart, as the owner set them."""
        return as_json(cluster.values)

    @admin.action(description="Protect from deletion", permissions=["operate"])
    def protect(self, request: HttpRequest, queryset: QuerySet[VirtualCluster]) -> None:
        """Until somebody takes it away again."""
        self._protect(request, queryset, protected=True)

    @admin.action(description="Take the protection away", permissions=["operate"])
    def unprotect(self, request: HttpRequest, queryset: QuerySet[VirtualCluster]) -> None:
        """Then they can be deleted."""
        self._protect(request, queryset, protected=False)

    def _protect(self, request: HttpRequest, queryset: QuerySet[VirtualCluster], *, protected: bool) -> None:
        for cluster in queryset:
            virtual_cluster_update(virtual_cluster=cluster, actor=admin_actor(request), deletion_protection=protected)
            messages.success(request, f"{cluster} is {'protected' if protected else 'not protected any more'}.")

    @admin.action(description="Configure: bring back to what is wanted", permissions=["operate"])
    def configure(self, request: HttpRequest, queryset: QuerySet[VirtualCluster]) -> None:
        """Puts right what was done to them on their hosts; the operations tell how far they are."""
        for cluster in queryset:
            work = virtual_cluster_configure(virtual_cluster=cluster, actor=admin_actor(request), now=timezone.now())
            word = "begins" if work.created else "was waiting already"
            operation_told(request, f"The configuring of {cluster} {word}", work.operation)

    @admin.action(description="Upgrade: look at what that would meet", permissions=["operate"])
    def look_at_upgrade(self, request: HttpRequest, queryset: QuerySet[VirtualCluster]) -> None:
        """To the newest versions that there is a way to; the operations have the reports."""
        for cluster in queryset:
            operation = upgrade_preflight(
                virtual_cluster=cluster, actor=admin_actor(request), now=timezone.now(), change=VersionChange()
            )
            operation_told(request, f"What an upgrade of {cluster} would meet", operation)

    @admin.action(description="Upgrade to the newest versions", permissions=["operate"])
    def upgrade(self, request: HttpRequest, queryset: QuerySet[VirtualCluster]) -> None:
        """One minor after the other. Where something is to be chosen the operation fails and says what."""
        for cluster in queryset:
            work = virtual_cluster_upgrade(
                virtual_cluster=cluster, actor=admin_actor(request), now=timezone.now(), change=VersionChange()
            )
            operation_told(request, f"The upgrade of {cluster} begins", work.operation)

    @admin.action(description="Move: look at what that would meet", permissions=["operate"])
    def look_at_move(self, request: HttpRequest, queryset: QuerySet[VirtualCluster]) -> None:
        """To the host that fits best; the operations show what was found."""
        for cluster in queryset:
            operation = virtual_cluster_migrate_preflight(
                virtual_cluster=cluster, actor=admin_actor(request), now=timezone.now(), move=MoveWish()
            )
            operation_told(request, f"What a move of {cluster} would meet is looked at", operation)

    @admin.action(description="Move to the host that fits best", permissions=["operate"])
    def move(self, request: HttpRequest, queryset: QuerySet[VirtualCluster]) -> None:
        """Nothing is given up for it: where somebody has to choose, it ends before anything is done."""
        for cluster in queryset:
            work = virtual_cluster_migrate(
                virtual_cluster=cluster, actor=admin_actor(request), now=timezone.now(), move=MoveWish()
            )
            operation_told(request, f"The move of {cluster} begins", work.operation)

    @admin.action(description="Delete with everything in them, without another question", permissions=["operate"])
    def delete_clusters(self, request: HttpRequest, queryset: QuerySet[VirtualCluster]) -> None:
        """Starts the deletions; the operations tell how far they are."""
        for cluster in queryset:
            work = virtual_cluster_delete(virtual_cluster=cluster, actor=admin_actor(request), now=timezone.now())
            word = "begins" if work.created else "was under way"
            operation_told(request, f"The deletion of {cluster} {word}", work.operation)
