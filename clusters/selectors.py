"""Reading: what a user may see, with what pages and API show of it fetched along."""

from datetime import datetime
from functools import cache
from typing import Any, Final

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, Count, OuterRef, Prefetch, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, JSONObject, Now

from accounts.access import in_reach, platform_staff, projects_where, tombstones_told
from accounts.models import RoleBinding, Team, User
from clusters.access import (
    discovered_visible,
    hosts_visible,
    kubeconfig_held,
    operations_visible,
    region_offers_visible,
)
from clusters.models import (
    Chart,
    DiscoveredCluster,
    GatewayToken,
    HostCluster,
    HostScope,
    KubeconfigGrant,
    Operation,
    Placement,
    PlacementRole,
    RegionOffer,
    UsualDuration,
    VirtualCluster,
    VirtualClusterPhase,
)
from clusters.selectors_books import with_last_use


def chart_source() -> str:
    """Where vcluster's chart comes from: the configured folder, else the repository."""
    return str(settings.CHART_FOLDER or settings.CHART_REPOSITORY)


def chart_versions() -> list[str]:
    """The chart versions that a virtual cluster may name: those fetched, and the configured ones."""
    fetched = Chart.objects.filter(source=chart_source()).values_list("version", flat=True)
    return sorted({*fetched, settings.CHART_VERSION, *settings.CHART_VERSIONS})


def chart_schema(version: str = "") -> dict[str, Any]:
    """The values schema of a fetched chart; empty when no worker has fetched it yet, and then helm checks."""
    found = Chart.objects.filter(source=chart_source(), version=version or settings.CHART_VERSION).first()
    return dict(found.schema) if found else {}


def hosts_list(user: User) -> QuerySet[HostCluster]:
    """The hosts a user may see."""
    return (
        hosts_visible(user)
        .select_related("organization", "credential")
        .prefetch_related("offered_to_organizations", "offered_to_projects__organization")
        .defer("credential__ciphertext", "credential__candidate")
    )


def virtual_clusters_list(user: User) -> QuerySet[VirtualCluster]:
    """The virtual clusters a user may see, deleted ones too, with what is shown of each."""
    visible = VirtualCluster.objects.filter(in_reach(user, "virtualcluster.view"))
    return (
        with_last_use(visible)
        .select_related("project__organization", "owner_user__service_account", "creator")
        .prefetch_related(
            Prefetch("owner_team", queryset=_teams().all()),
            Prefetch("role_bindings", queryset=_glass_broken().all(), to_attr="glass_broken"),
            Prefetch("placements", queryset=_active_placements().all(), to_attr="active_placements"),
            Prefetch("operations", queryset=_newest_operations().all(), to_attr="newest_operations"),
        )
    )


# What is fetched along is the same query for everybody, so it is put together once; no rows are kept, each list runs a
# copy of it. Putting them together took a tenth of a page's time.


@cache
def _teams() -> QuerySet[Team]:
    """Owners, as they are called. Asked for only where a team owns one: two tables less to plan for in every list."""
    return Team.objects.select_related("organization").only("name", "organization__name")


@cache
def _glass_broken() -> QuerySet[RoleBinding]:
    """Who of the platform staff is in it at the moment, and why."""
    return RoleBinding.objects.filter(expires_at__gt=Now()).exclude(reason="").select_related("user")


_PLACEMENT: Final = (
    *(
        "virtual_cluster",
        "host__name",
        "host__region",
        "host__kubernetes_version",
        "namespace",
        "release",
        "role",
        "endpoint",
        "kubernetes_version",
    ),
    *("chart_version", "adopted", "not_synced", "why"),
)


@cache
def _active_placements() -> QuerySet[Placement]:
    """Where it runs; with where it came from, as long as that is kept, as `retained`: the newest first."""
    kept = Placement.objects.filter(virtual_cluster=OuterRef("virtual_cluster"), role=PlacementRole.RETAINED)
    kept = kept.filter(lost_at=None)
    told = {"id": "pk", "host": "host_id", "name": "host__name", "since": "role_since", "until": "retained_until"}
    retained = ArraySubquery(kept.order_by("-role_since", "pk").values(told=JSONObject(**told)))
    active = Placement.objects.filter(role=PlacementRole.ACTIVE).select_related("host").only(*_PLACEMENT)
    return active.annotate(retained=retained)


@cache
def _newest_operations() -> QuerySet[Operation]:
    """The newest one of each cluster that changes it: handing out a kubeconfig does not hide it."""
    newest = Operation.objects.filter(lock_key__isnull=False).order_by("virtual_cluster_id", "-id")
    one_each = newest.distinct("virtual_cluster_id")
    # its cluster is the one that it is fetched for
    return operations_shown(one_each).select_related(None).select_related(*_OF_OPERATIONS).only(*_OPERATION, *_NAMES)


def _person(column: str) -> tuple[str, ...]:
    """What is shown of somebody."""
    return (f"{column}__handle", f"{column}__name", f"{column}__is_service_account")


_OF_OPERATIONS: Final = ("host", "requested_by", "waiting_host")
_OPERATION: Final = (
    *("kind", "state", "virtual_cluster", "steps", "message", "error_code", "error_message", "error_hint", "attempt"),
    *("run_after", "created_at", "started_at", "finished_at", "sealed_until", "left_behind"),
)
_NAMES: Final = ("host__name", *_person("requested_by"), "waiting_host__name")
"""What a cluster shows of its newest operation: a page reads these fifty times, so nothing else is read."""


def virtual_clusters_page(found: QuerySet[VirtualCluster]) -> QuerySet[VirtualCluster]:
    """Of what `virtual_clusters_list` found, only what a list shows of each."""
    shown = (
        "project__name",
        "project__organization__name",
        *_person("owner_user"),
        "owner_user__service_account",
        *_person("creator"),
    )
    own = [field.name for field in VirtualCluster._meta.concrete_fields if field.name != "wanted_host"]
    return found.only(*own, *shown)


def virtual_clusters_alive(user: User) -> QuerySet[VirtualCluster]:
    """Those that are not Deleted."""
    return virtual_clusters_list(user).exclude(phase=VirtualClusterPhase.DELETED)


def operations_list(user: User) -> QuerySet[Operation]:
    """The operations a user may see."""
    return operations_shown(operations_visible(user))


def operations_shown(operations: QuerySet[Operation]) -> QuerySet[Operation]:
    """With what is shown of them, and how long their kinds usually take; without what nobody is to read."""
    usual = UsualDuration.objects.filter(kind=OuterRef("kind")).values("seconds")
    return (
        operations.select_related("virtual_cluster__project", "host", "requested_by", "waiting_host")
        .annotate(usual_seconds=Subquery(usual))
        .defer("sealed_result", "params")
    )


def virtual_cluster_tombstones(user: User) -> Q:
    """Of virtual clusters whose rows went with their project's history."""
    return tombstones_told(user, in_project="virtualcluster.view")


def operation_tombstones(user: User) -> Q:
    """Of operations: as the operations were seen."""
    told = tombstones_told(user, in_project="operation.view", in_organization="host.update")
    return told | Q(project_id__isnull=True) if platform_staff(user) else told


def host_tombstones(user: User) -> Q:
    """Of hosts, and of those no longer offered: for who may have seen them. That one went tells nothing else of it."""
    if platform_staff(user):
        return Q()
    projects = projects_where(user, "project.view").values("organization")
    told = tombstones_told(user, in_project="project.view", in_organization="host.view")
    return told | Q(everybody=True) | Q(project_id__isnull=True, organization_id__in=projects)


def discovered_list(user: User) -> QuerySet[DiscoveredCluster]:
    """The virtual clusters that were found on hosts, as far as a user looks after these."""
    return discovered_visible(user).select_related("host")


def region_offers_list(user: User) -> QuerySet[RegionOffer]:
    """The offers of regions that a user may see, each with how many hosts are there now."""
    there = HostCluster.objects.filter(scope=HostScope.PLATFORM, region=OuterRef("region")).order_by()
    counts = there.values("region").annotate(count=Count("pk")).values("count")
    return (
        region_offers_visible(user)
        .select_related("organization", "project__organization")
        .annotate(hosts=Coalesce(Subquery(counts), 0))
    )


def gateway_tokens_list(user: User, cluster: VirtualCluster, *, now: datetime) -> QuerySet[GatewayToken]:
    """The static tokens of a cluster that hold, as far as a user has to do with them.

    Their own, those of service accounts that they manage, and for who decides on a project's members all of them.
    """
    living = GatewayToken.objects.filter(virtual_cluster=cluster, revoked_at=None, expires_at__gt=now)
    managed = projects_where(user, "serviceaccount.manage").values("pk")
    administered = projects_where(user, "project.members").values("pk")
    mine = Q(user=user) | Q(user__service_account__project__in=managed)
    return living.filter(mine | Q(virtual_cluster__project__in=administered)).select_related(
        "user__service_account__project__organization",
        "created_by",
        "access_token",
        "virtual_cluster__project__organization",
    )


def kubeconfig_grants_list(cluster: VirtualCluster, *, now: datetime) -> QuerySet[KubeconfigGrant]:
    """Who has a kubeconfig of the cluster that holds; `ending` is True where no role gives it any more."""
    live = KubeconfigGrant.objects.filter(virtual_cluster=cluster, revoked_at=None, expires_at__gt=now)
    ending = Case(When(kubeconfig_held(), then=Value(False)), default=Value(True))
    return live.select_related("user").annotate(ending=ending)
