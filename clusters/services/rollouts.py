"""Making a rollout: which clusters are in it, in which waves, and that nothing else has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.access import in_reach, projects_where, staff_require
from accounts.errors import Conflict, InvalidInput, NotAllowed
from accounts.models import Organization, Project
from accounts.roles import roles_that_may
from accounts.services.audit import Actor, audit_record
from accounts.services.rows import row_save
from clusters.access_rollouts import ROLLOUT, projects_require, rollouts_visible
from clusters.models import (
    OPEN_MEMBERS,
    HostCluster,
    HostPhase,
    Rollout,
    RolloutAction,
    RolloutMember,
    VirtualCluster,
)
from clusters.move_wish import MoveWish
from clusters.names import name_validate
from clusters.rollouts.fitting import unfit
from clusters.rollouts.waves import budget_of, budget_read, waves_read, waves_split
from clusters.rollouts.wish import ClusterSelector, RolloutWish
from clusters.selectors import chart_versions
from clusters.selectors_rollouts import clusters_selected
from clusters.upgrade_choices import ROLLOUT_CHOICES, upgrade_choices_check
from clusters.versions import kubernetes_version_resolve

CLUSTERS_MAXIMUM: Final = 1000
PARALLEL_MAXIMUM: Final = 100
DAYS_30: Final = 30 * 86400


@dataclass(frozen=True, kw_only=True)
class RolloutOrder:
    """What somebody wants. Neither organization nor project: the platform's, for its staff.

    `pause_seconds` None: between waves it waits until somebody resumes it.
    """

    name: str
    action: str
    organization: Organization | None = None
    project: Project | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    on_version: str = ""
    on_host: HostCluster | None = None
    kubernetes_version: str = ""
    chart_version: str = ""
    to: HostCluster | None = None
    choices: Mapping[str, str] = field(default_factory=dict)
    waves: Sequence[str] = ()
    pause_seconds: int | None = 0
    soak_seconds: int = 0
    failure_budget: str = "0"
    max_parallel: int = 5


@transaction.atomic
def rollout_create(*, order: RolloutOrder, actor: Actor, now: datetime) -> Rollout:
    """Writes the rollout with its members; the schedule begins it.

    Clusters with which there is nothing to do are not in it. InvalidInput names the field, NotAllowed the projects in
    which the actor may not, Conflict the other rollout that has one of the clusters.
    """
    _scope_check(order, actor)
    wish, selector = _wish(order), _selector(order)
    _numbers_check(order)
    waves, budget = waves_read(order.waves), budget_read(order.failure_budget)
    clusters = _clusters(order, wish, selector, actor)
    organization = order.project.organization if order.project else order.organization
    rollout = Rollout(
        name=name_validate(order.name),
        action=order.action,
        organization=organization,
        project=order.project,
        created_by=actor.user,
        selector=selector.as_json(),
        wish=wish.as_json(),
        waves=[str(each) for each in waves],
        pause_seconds=order.pause_seconds,
        soak_seconds=order.soak_seconds,
        failure_budget=str(budget),
        failures_allowed=budget_of(budget, len(clusters)),
        max_parallel=order.max_parallel,
        message=f"It is about to begin with {_counted(len(clusters))}.",
    )
    row_save(
        rollout,
        taken=f"A rollout named {order.name} is at work already: follow it with `marina rollout watch {order.name}`.",
    )
    members_make(rollout, clusters, waves_split(waves, len(clusters)), actor)
    rollout_audit(actor, "rollout.create", rollout, details={"clusters": len(clusters), "wish": str(wish)})
    return rollout


def _counted(number: int) -> str:
    return f"{number} cluster{'' if number == 1 else 's'}"


def rollout_audit(actor: Actor, action: str, rollout: Rollout, *, details: Mapping[str, Any] | None = None) -> None:
    """Adds a row about it to the audit log."""
    audit_record(
        actor=actor,
        action=action,
        kind="rollout",
        object_id=rollout.pk,
        name=rollout.name,
        organization_id=rollout.organization_id,
        details=details,
    )


# --- what is asked for ------------------------------------------------------------------------------------------------


def _scope_check(order: RolloutOrder, actor: Actor) -> None:
    if order.organization is None and order.project is None:
        staff_require(actor, "roll out over the whole platform; name an organization or a project")


def _wish(order: RolloutOrder) -> RolloutWish:
    if order.action == RolloutAction.MIGRATE:
        return _move(order)
    if order.to is not None:
        raise InvalidInput("An upgrade goes to no host.", field="to.host", accepted="leave it out, or migrate")
    if not (order.kubernetes_version or order.chart_version):
        raise InvalidInput(
            "An upgrade needs a version.",
            field="to.kubernetes_version",
            accepted=f"one of {', '.join(settings.KUBERNETES_VERSIONS)}, or a version of the chart",
        )
    if order.chart_version and order.chart_version not in chart_versions():
        raise InvalidInput(
            f"Version {order.chart_version} of vcluster's chart is not available here.",
            field="to.chart_version",
            accepted=f"one of {', '.join(chart_versions())}",
        )
    upgrade_choices_check(order.choices, ROLLOUT_CHOICES)
    version = order.kubernetes_version and str(
        kubernetes_version_resolve(
            order.kubernetes_version, supported=settings.KUBERNETES_VERSIONS, field="to.kubernetes_version"
        )
    )
    return RolloutWish(kubernetes_version=version, chart_version=order.chart_version, choices=dict(order.choices))


def _move(order: RolloutOrder) -> RolloutWish:
    if order.kubernetes_version or order.chart_version:
        raise InvalidInput(
            "A move changes no version.", field="to.kubernetes_version", accepted="leave it out, or upgrade"
        )
    MoveWish(to=order.to, choices=dict(order.choices)).check()
    if order.to is None:
        if order.on_host is None:
            raise InvalidInput(
                "Neither where the clusters go nor which host they leave is said.",
                field="to.host",
                accepted="a host; or a selector with the host to leave, and then Marina chooses",
            )
        return RolloutWish(choices=dict(order.choices))
    if order.to.cordoned or order.to.phase != HostPhase.CONNECTED:
        why = "cordoned" if order.to.cordoned else order.to.phase
        raise InvalidInput(
            f"{order.to.name} is {why}, so nothing goes there.", field="to.host", accepted="a host that takes clusters"
        )
    return RolloutWish(to=str(order.to.pk), to_name=order.to.name, choices=dict(order.choices))


def _selector(order: RolloutOrder) -> ClusterSelector:
    host, project = order.on_host, order.project
    return ClusterSelector(
        labels=dict(order.labels),
        kubernetes_version=order.on_version.removeprefix("v"),
        host=str(host.pk) if host else "",
        host_name=host.name if host else "",
        project=str(project.pk) if project else "",
        project_name=str(project) if project else "",
    )


def _numbers_check(order: RolloutOrder) -> None:
    bounds: tuple[tuple[str, int | None, int, int], ...] = (
        ("pause_seconds", order.pause_seconds, 0, DAYS_30),
        ("soak_seconds", order.soak_seconds, 0, DAYS_30),
        ("max_parallel", order.max_parallel, 1, PARALLEL_MAXIMUM),
    )
    for name, value, least, most in bounds:
        if value is not None and not least <= value <= most:
            raise InvalidInput(f"{value} is not possible here.", field=name, accepted=f"{least} to {most}")


# --- the clusters -----------------------------------------------------------------------------------------------------


def _clusters(order: RolloutOrder, wish: RolloutWish, selector: ClusterSelector, actor: Actor) -> list[VirtualCluster]:
    chosen = clusters_selected(selector)
    if order.project is None and order.organization is not None:
        chosen = chosen.filter(project__organization=order.organization)
    if actor.user is not None and not actor.platform and (order.project or order.organization):
        chosen = chosen.filter(in_reach(actor.user, "virtualcluster.view"))
    found = list(chosen)
    reasons = {each.pk: unfit(order.action, wish, selector, each) for each in found}
    there = [each for each in found if not reasons[each.pk]]
    _permission_check(order, there or found, actor)
    if not there:
        why = next((f" {each}: {reasons[each.pk]}" for each in found), "")
        raise InvalidInput(
            f"There is nothing to do: {_counted(len(found))} fit{'s' if len(found) == 1 else ''} the selector.{why}",
            field="selector",
            accepted="labels, a version, a host or a project of clusters that do not have it yet",
        )
    if len(there) > CLUSTERS_MAXIMUM:
        raise InvalidInput(
            f"{len(there)} clusters are too many for one rollout.",
            field="selector",
            accepted=f"one that at most {CLUSTERS_MAXIMUM} clusters fit",
        )
    return there


def _permission_check(order: RolloutOrder, clusters: Sequence[VirtualCluster], actor: Actor) -> None:
    if actor.user is None or actor.platform or (order.project is None and order.organization is None):
        return
    keys = {each.project_id for each in clusters} | ({order.project.pk} if order.project else set())
    projects_require(actor.user, Project.objects.filter(pk__in=keys), subject=order.project or order.organization)
    if not keys and not projects_where(actor.user, ROLLOUT).filter(organization=order.organization).exists():
        raise NotAllowed(
            f"You may do {ROLLOUT} in no project of {order.organization}.",
            hint=f"It takes one of these roles there: {', '.join(roles_that_may(ROLLOUT))}.",
            action=ROLLOUT,
            subject=order.organization,
        )


def members_make(
    rollout: Rollout, clusters: Sequence[VirtualCluster], waves: Sequence[int], actor: Actor
) -> list[RolloutMember]:
    """Writes them. Raises Conflict, naming the other rollout, where one is in another that has not done with it."""
    rollout_free_check(clusters, actor)
    rows = [
        RolloutMember(rollout=rollout, virtual_cluster=cluster, wave=wave, position=position)
        for position, (cluster, wave) in enumerate(zip(clusters, waves, strict=True))
    ]
    try:
        with transaction.atomic():
            return RolloutMember.objects.bulk_create(rows)
    except IntegrityError:  # another one was made at this very moment
        rollout_free_check(clusters, actor)
        raise


def rollout_free_check(clusters: Sequence[VirtualCluster], actor: Actor) -> None:
    """Raises Conflict where one of these is in a rollout that has not done with it."""
    members = RolloutMember.objects.filter(virtual_cluster__in=[each.pk for each in clusters], state__in=OPEN_MEMBERS)
    taken = list(members.select_related("rollout", "virtual_cluster__project__organization").order_by("rollout_id"))
    if not taken:
        return
    other = taken[0].rollout
    seen = actor.user is None or actor.platform or rollouts_visible(actor.user).filter(pk=other.pk).exists()
    called = f"the rollout {other.name}" if seen else "a rollout of the platform"
    more = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
    raise Conflict(
        f"{taken[0].virtual_cluster}{more} {'are' if more else 'is'} in {called} ({other.state}) already.",
        hint=f"Wait until it has ended, or abort it (marina rollout abort {other.name})." if seen else "",
        code="rollout-in-the-way",
    )
