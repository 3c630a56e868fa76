"""What is known of many clusters, and what counts for each, read with a fixed number of statements."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Coalesce

from clusters.lifecycle.deciding import ClusterFacts, Plan
from clusters.lifecycle.policy import ResolvedPolicy, defaults_kind, policy_resolve
from clusters.lifecycle.required_signals import required_kinds
from clusters.lifecycle.signal import Signal, SignalKind
from clusters.lifecycle.signals import signals_of
from clusters.lifecycle.use import REQUIRED
from clusters.models import (
    CleanupCause,
    CleanupState,
    LifecyclePolicy,
    Operation,
    OperationKind,
    OperationState,
    Placement,
    PlacementRole,
    VirtualCluster,
    VirtualClusterPhase,
)


class ReadSignals(Protocol):
    """What tells of the use of clusters: `signals_of`."""

    def __call__(
        self, clusters: Iterable[VirtualCluster], *, now: datetime | None = None
    ) -> Mapping[UUID, tuple[Signal, ...]]: ...


_SCHEDULED_WAKES_FOR: Final = timedelta(days=60)
"""Wakes by schedules only put off the next sleep, so old ones say nothing."""


@dataclass(frozen=True)
class Case:
    """One cluster, what is known of it, and what counts for it."""

    cluster: VirtualCluster
    facts: ClusterFacts
    policy: ResolvedPolicy


def clusters_living() -> QuerySet[VirtualCluster]:
    """Those that are there, and are not on their way out."""
    gone = (VirtualClusterPhase.DELETED, VirtualClusterPhase.DELETING)
    return VirtualCluster.objects.exclude(phase__in=gone).order_by("pk")


def cases_of(
    clusters: QuerySet[VirtualCluster], *, now: datetime, read_signals: ReadSignals = signals_of
) -> list[Case]:
    """What is known of these clusters. `read_signals` tells of their use."""
    shown = clusters.select_related("project__organization", "owner_user", "owner_team", "creator")
    found = list(shown.defer("values", "conditions", "labels"))
    signals, hosts = read_signals(found, now=now), _required()
    wakes, policies = _wakes(now), _policies()
    return [
        Case(
            cluster=cluster,
            facts=facts_of(
                cluster, signals.get(cluster.pk, ()), hosts.get(cluster.pk, REQUIRED), wakes.get(cluster.pk)
            ),
            policy=policy_of(cluster, policies),
        )
        for cluster in found
    ]


def facts_of(
    cluster: VirtualCluster,
    signals: tuple[Signal, ...],
    required: frozenset[SignalKind],
    woken: tuple[datetime | None, datetime | None] | None,
) -> ClusterFacts:
    """What its row says, and what was read along. `woken`: last of all, and last by a person."""
    woken_at, by_person = woken or (None, None)
    return ClusterFacts(
        phase=cluster.phase,
        created_at=cluster.created_at,
        signals=signals,
        required=required,
        asleep_since=cluster.asleep_since,
        woken_at=woken_at,
        woken_by_person_at=by_person,
        protected=cluster.deletion_protection,
        serving=cluster.serving,
        expires_at=cluster.expires_at,
        kept_until=cluster.kept_until,
        plan=plan_of(cluster),
        consent_at=cluster.consent_at,
    )


def plan_of(cluster: VirtualCluster) -> Plan | None:
    """The deletion that its owner was told of."""
    if cluster.cleanup_at is None or not cluster.cleanup_warned_at:
        return None
    return Plan(
        cause=CleanupCause(cluster.cleanup_cause),
        at=cluster.cleanup_at,
        warned=tuple(datetime.fromisoformat(each) for each in cluster.cleanup_warned_at),
        state=CleanupState(cluster.cleanup_state),
    )


Policies = Mapping[UUID, LifecyclePolicy]
"""By the id of what each is of."""


def _policies() -> Policies:
    rows = LifecyclePolicy.objects.all()
    return {row.virtual_cluster_id or row.project_id or row.organization_id: row for row in rows}  # type: ignore[misc]


def policies_for(cluster: VirtualCluster) -> Policies:
    """Those that have to do with one cluster."""
    rows = LifecyclePolicy.objects.filter(
        Q(virtual_cluster=cluster) | Q(project=cluster.project_id) | Q(organization=cluster.project.organization_id)
    )
    return {row.virtual_cluster_id or row.project_id or row.organization_id: row for row in rows}  # type: ignore[misc]


def policy_of(cluster: VirtualCluster, policies: Policies) -> ResolvedPolicy:
    """What counts for it. Its project, its organization and its creator are read along."""
    project = cluster.project
    kind = defaults_kind(personal=project.personal_of_id is not None, by_program=cluster.creator.is_service_account)
    scopes = (
        (f"the organization {project.organization.name}", project.organization_id),
        (f"the project {project}", project.pk),
        (f"the cluster {cluster.name}", cluster.pk),
    )
    return policy_resolve(kind, ((name, policies[key]) for name, key in scopes if key in policies))


def _required() -> dict[UUID, frozenset[SignalKind]]:
    """By cluster: the signals that its host requires."""
    active = Placement.objects.filter(role=PlacementRole.ACTIVE).select_related("host")
    return {
        placement.virtual_cluster_id: required_kinds(getattr(placement.host, "required_signals", None) or {})
        for placement in active.defer("host__capacity", "host__conditions")
    }


def _wakes(now: datetime) -> dict[UUID, tuple[datetime | None, datetime | None]]:
    """By cluster: when it was woken or did not fall asleep last, and when last somebody asked to wake or restore it.

    Whoever asked wants it, whatever came of that.
    """
    woken = Q(kind=OperationKind.WAKE, state=OperationState.SUCCEEDED)
    stayed = Q(kind=OperationKind.SLEEP, state__in=(OperationState.FAILED, OperationState.ABORTED))
    asked = Q(kind__in=(OperationKind.WAKE, OperationKind.RESTORE), requested_by__isnull=False)
    at = Coalesce("finished_at", "created_at")
    recent = Q(finished_at__gt=now - _SCHEDULED_WAKES_FOR)
    rows = Operation.objects.filter(asked | (woken | stayed) & recent).values("virtual_cluster")
    found = rows.annotate(last=Max("finished_at", filter=woken | stayed), asked=Max(at, filter=asked)).order_by()
    return {row["virtual_cluster"]: (row["last"], row["asked"]) for row in found}
