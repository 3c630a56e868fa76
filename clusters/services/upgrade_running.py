"""Upgrades that Marina does by itself: planned, warned of, begun in their window, each once, and looked after.

What is planned stands in the cluster's row. A pass over all clusters takes a fixed number of statements, beside those
for each upgrade that it begins or whose end it tells.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from accounts.errors import Conflict, MarinaError
from accounts.services.audit import Actor
from clusters.lifecycle.upgrade_cases import (
    UpgradeCase,
    clusters_upgradable,
    line_name,
    policies_around,
    upgrade_case,
    upgrade_cases,
)
from clusters.lifecycle.upgrade_planning import TRIES, PlannedUpgrade, upgrade_plan
from clusters.lifecycle.upgrades import forced_target, target_of
from clusters.models import (
    OPEN_MEMBERS,
    UPGRADE_COLUMNS,
    Operation,
    OperationState,
    Placement,
    PlacementRole,
    RolloutMember,
    UpgradeCause,
    VirtualCluster,
    VirtualClusterPhase,
)
from clusters.rollouts.wish import RolloutWish
from clusters.services import rollout_actions
from clusters.services.upgrade_notices import support_tell, upgrade_begun_tell, upgrade_blocked_tell

ACTOR: Final = Actor(user=None, name="marina maintenance")
_REST: Final = (VirtualClusterPhase.READY, VirtualClusterPhase.ASLEEP)
_DECIDING: Final = ("phase", "kubernetes_version", "chart_version", "project_id", *UPGRADE_COLUMNS)
_WHY: Final[Mapping[str, str]] = {
    UpgradeCause.PATCH: "Its channel takes newer patches.",
    UpgradeCause.MINOR: "Its channel takes the next minor version.",
    UpgradeCause.CHART: "Its channel takes newer versions of vcluster's chart.",
    UpgradeCause.SUPPORT: "What it runs is without support.",
}


def upgrades_run(*, now: datetime) -> int:
    """Looks after what was begun, plans and warns, then begins what is due; says how many. Run by a schedule."""
    for key in list(_begun().values_list("pk", flat=True)):
        _look_after(key, now)
    upgrades_plan(now=now)
    free = settings.AUTO_UPGRADES_AT_ONCE - _begun().count()
    due = VirtualCluster.objects.filter(_due(now)).order_by("upgrade_at", "pk").values_list("pk", flat=True)
    begun = 0
    for key in list(due):
        if begun >= free:
            break
        begun += _begin(key, now)
    return begun


# --- planning ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def upgrades_plan(*, now: datetime) -> int:
    """Writes what is planned where that is another plan than before, and warns of ends of support; how many rows."""
    cases = upgrade_cases(clusters_upgradable().filter(upgrade_operation=None))
    warned = {case.cluster.pk for case in cases if case.support is not None and case.support.warning_due(now)}
    wanted = {case.cluster.pk: _columns(case, case.cluster.pk in warned, now) for case in cases}
    changed = [case for case in cases if _differs(case.cluster, wanted[case.cluster.pk])]
    rows = _unchanged(changed)
    for row in rows.values():
        for name, value in wanted[row.pk].items():
            setattr(row, name, value)
    VirtualCluster.objects.bulk_update(rows.values(), UPGRADE_COLUMNS, batch_size=500)
    support_tell([case for case in changed if case.cluster.pk in warned & set(rows)], now=now)
    return len(rows)


def _columns(case: UpgradeCase, warned: bool, now: datetime) -> dict[str, Any]:
    """What its row is to say."""
    told = _told(case, warned, now)
    plan = upgrade_plan(running=case.running, policy=case.policy, support=case.support, tried=case.tried, now=now)
    shown = {"upgrade_channel": case.policy.channel.value, "upgrade_support_told": told}
    return {**shown, **_forgotten(case), **_planned(plan)}


def _forgotten(case: UpgradeCase) -> dict[str, Any]:
    """What was tried counts as long as it is what would be tried again."""
    targets = (target_of(case.policy.channel, case.running), forced_target(case.running))
    if case.tried.signature in ("", *(each.signature for each in targets if each is not None)):
        return {}
    return {"upgrade_tries": 0, "upgrade_tried": "", "upgrade_tried_at": None, "upgrade_blocked": ""}


def _told(case: UpgradeCase, warned: bool, now: datetime) -> dict[str, list[str]]:
    """Of the version that it runs only: whoever upgraded it begins anew with the next one."""
    line = line_name(case.running.kubernetes)
    there = case.cluster.upgrade_support_told.get(line, [])
    after = [*there, now.isoformat()] if warned else there
    return {line: after} if after else {}


def _planned(plan: PlannedUpgrade | None) -> dict[str, Any]:
    if plan is None:
        empty = dict.fromkeys(("upgrade_to", "upgrade_to_chart", "upgrade_cause"), "")
        return {"upgrade_at": None, "upgrade_until": None, **empty}
    return {
        "upgrade_at": plan.at,
        "upgrade_until": plan.until,
        "upgrade_to": plan.target.kubernetes,
        "upgrade_to_chart": plan.target.chart,
        "upgrade_cause": plan.target.cause.value,
    }


def _differs(cluster: VirtualCluster, wanted: Mapping[str, Any]) -> bool:
    return any(getattr(cluster, name) != value for name, value in wanted.items())


def _unchanged(cases: Sequence[UpgradeCase]) -> dict[UUID, VirtualCluster]:
    """Locks their rows; those that nobody changed since they were read, and nobody else has."""
    if not cases:
        return {}
    read = {case.cluster.pk: case.cluster for case in cases}
    rows = VirtualCluster.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
    found = rows.filter(pk__in=read).order_by("pk").only(*_DECIDING)
    return {row.pk: row for row in found if all(getattr(row, x) == getattr(read[row.pk], x) for x in _DECIDING)}


# --- beginning --------------------------------------------------------------------------------------------------------


def _due(now: datetime) -> Q:
    in_time = Q(upgrade_until=None) | Q(upgrade_until__gt=now)
    in_rollout = Exists(RolloutMember.objects.filter(virtual_cluster=OuterRef("pk"), state__in=OPEN_MEMBERS))
    return in_time & Q(upgrade_at__lte=now, phase__in=_REST, upgrade_operation=None) & ~Q(in_rollout)


@transaction.atomic
def _begin(key: UUID, now: datetime) -> bool:
    rows = VirtualCluster.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
    cluster = rows.select_related("project__organization", "owner_user", "owner_team").filter(_due(now), pk=key).first()
    if cluster is None or not _still_planned(cluster, now):  # another schedule has it, or had it
        return False
    wish = RolloutWish(kubernetes_version=cluster.upgrade_to, chart_version=cluster.upgrade_to_chart)
    try:
        with transaction.atomic():
            work = rollout_actions.begins()["upgrade"](virtual_cluster=cluster, actor=ACTOR, now=now, wish=wish)
    except Conflict as error:
        if error.operation_id is not None:  # it is busy: it stays due while its window is open
            return False
        _blocked(cluster, wish, f"{error} {error.hint}".strip(), now, begun=False)
        return False
    except MarinaError as error:
        _blocked(cluster, wish, f"{error} {error.hint}".strip(), now, begun=False)
        return False
    _note_try(cluster, wish, now)
    cluster.upgrade_operation, cluster.upgrade_at, cluster.upgrade_until = work.operation.pk, None, None
    cluster.save(update_fields=UPGRADE_COLUMNS)
    upgrade_begun_tell(cluster, versions=str(wish), why=_WHY.get(cluster.upgrade_cause, ""), now=now)
    return True


def _still_planned(cluster: VirtualCluster, now: datetime) -> bool:
    """A policy that was changed since the last pass counts at once."""
    active = Placement.objects.filter(virtual_cluster=cluster, role=PlacementRole.ACTIVE)
    host = active.values_list("host__kubernetes_version", flat=True).first() or ""
    case = upgrade_case(cluster, host=host, policies=policies_around(cluster))
    plan = upgrade_plan(running=case.running, policy=case.policy, support=case.support, tried=case.tried, now=now)
    return plan is not None and plan.at <= now and plan.target.signature == _signature(cluster)


def _signature(cluster: VirtualCluster) -> str:
    return f"{cluster.upgrade_to} {cluster.upgrade_to_chart}"


def _note_try(cluster: VirtualCluster, wish: RolloutWish, now: datetime) -> None:
    signature = f"{wish.kubernetes_version} {wish.chart_version}"
    cluster.upgrade_tries = cluster.upgrade_tries + 1 if cluster.upgrade_tried == signature else 1
    cluster.upgrade_tried, cluster.upgrade_tried_at = signature, now


# --- afterwards -------------------------------------------------------------------------------------------------------


def _begun() -> Any:
    return VirtualCluster.objects.filter(upgrade_operation__isnull=False)


@transaction.atomic
def _look_after(key: UUID, now: datetime) -> None:
    """Where its operation has ended: done, or blocked, which its owner is told."""
    rows = VirtualCluster.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
    related = ("project__organization", "owner_user", "owner_team")
    cluster = rows.select_related(*related).filter(pk=key, upgrade_operation__isnull=False).first()
    if cluster is None or cluster.upgrade_operation is None:
        return
    operation = Operation.objects.filter(pk=cluster.upgrade_operation).first()
    if operation is not None and not operation.finished:
        return
    wish = RolloutWish(kubernetes_version=cluster.upgrade_to, chart_version=cluster.upgrade_to_chart)
    if operation is not None and operation.state != OperationState.SUCCEEDED:
        told = " ".join(filter(None, (operation.error_message or operation.message, operation.error_hint)))
        _blocked(cluster, wish, told, now, begun=True)
        return
    cluster.upgrade_operation, cluster.upgrade_tries = None, 0
    cluster.upgrade_tried = cluster.upgrade_blocked = cluster.upgrade_to = cluster.upgrade_to_chart = ""
    cluster.upgrade_tried_at, cluster.upgrade_cause = None, ""
    cluster.save(update_fields=UPGRADE_COLUMNS)


def _blocked(cluster: VirtualCluster, wish: RolloutWish, why: str, now: datetime, *, begun: bool) -> None:
    """Kept and told. The next pass plans the next window, or nothing after so many tries."""
    if not begun:
        _note_try(cluster, wish, now)
    cluster.upgrade_operation, cluster.upgrade_at, cluster.upgrade_until = None, None, None
    cluster.upgrade_blocked = why
    cluster.save(update_fields=UPGRADE_COLUMNS)
    upgrade_blocked_tell(cluster, versions=str(wish), why=why, again=cluster.upgrade_tries < TRIES, now=now)
