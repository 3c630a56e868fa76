"""What an upgrade would meet: its way, what is in it, and who uses what the newer Kubernetes serves no more."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from clusters.models import OperationKind, Placement, VirtualCluster
from clusters.preflight import Finding, Report, Weight
from clusters.services.upgrading import TO
from clusters.upgrade_offer import ground_of, offer_now, versions_of
from clusters.upgrade_versions import Versions, Way
from clusters.upgrading import way_find
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.upgrades.findings import blocks
from provisioning.upgrades.inside import inside_findings, unseen
from provisioning.upgrades.outside import asleep_findings, chart_findings, rollback_finding

AWAY_SECONDS: Final = 15.0
"""Of the API, a hop: what was measured of upstream's chart (11 to 15 s); workloads go on meanwhile."""


@dataclass(frozen=True)
class Looked:
    """The way that was found, from what it has, and what it would meet."""

    has: Versions
    way: Way
    report: Report


def upgrade_look(context: StepContext) -> Report:
    """For a preflight."""
    return upgrade_looked(context).report


def upgrade_looked(context: StepContext) -> Looked:
    """As things are now, whatever was so when it was asked for."""
    cluster, placement = context.virtual_cluster, context.placed()
    cluster.refresh_from_db()
    has, wants = versions_of(cluster), Versions.of_json(context.params[TO])
    way = way_find(has=has, wants=wants, offer=offer_now(), ground=ground_of(cluster, placement))
    findings = list(_findings(context, placement, has, wants, way))
    report = Report(
        plan=tuple(_plan(cluster, has, way)),
        findings=tuple(findings),
        expected={} if cluster.sleeping else {"API away": AWAY_SECONDS * len(way.hops)},
    )
    return Looked(has, way, report)


def _plan(cluster: VirtualCluster, has: Versions, way: Way) -> Iterator[str]:
    if way.refusal:
        return
    if cluster.sleeping:
        yield "It is asleep and stays so. Its last export is what is kept of it; that it answers is seen when it wakes."
    else:
        yield "Everything in it is exported."
    before = has
    for hop in way.hops:
        sentence = f"{before.told_after(hop)} becomes {hop.told_after(before)}."
        yield f"{sentence[0].upper()}{sentence[1:]}"
        before = hop
    if not cluster.sleeping:
        yield "API version, nodes and workloads are compared with those from before."


def _findings(
    context: StepContext, placement: Placement | None, has: Versions, wants: Versions, way: Way
) -> Iterator[Finding]:
    cluster = context.virtual_cluster
    if placement is None:
        yield blocks("not-placed", str(cluster), "It has no host yet.", "Wait until it is Ready.")
        return
    if way.refusal:
        refusal = way.refusal
        yield blocks(refusal.code, str(cluster), refusal.message, f"Possible: {refusal.accepted}.")
        return
    yield from asleep_findings(cluster, placement, has, way)
    yield from chart_findings(context, placement, has, way)
    yield from rollback_finding(cluster, has, way)
    if cluster.sleeping:
        why = "It is asleep, so nobody can look who uses what will be gone."
        wake = f"Wake it first, and it is looked: marina wake {cluster.name} --project {cluster.project}."
        yield unseen("asleep", str(cluster), why, has=has, wants=wants, hint=wake)
        return
    try:
        yield from inside_findings(context, has, wants)
    except TemporaryError as error:
        if context.operation.kind != OperationKind.PREFLIGHT:  # an upgrade tries again
            raise
        yield blocks("no-answer", str(cluster), f"Its API does not answer: {error.message}", error.hint)


def in_the_way_told(report: Report, chosen: dict[str, Any]) -> PermanentError | None:
    """What it does not begin before, as an error; None where it may begin."""
    found = report.in_the_way(chosen)
    if not found:
        return None
    first = found[0]
    more = f" And {len(found) - 1} more: its report lists them." if len(found) > 1 else ""
    if first.weight is Weight.CHOICE:
        chosen_by = " or ".join(f"--{first.choice} {option}" for option in first.options)
        return PermanentError(
            f"{first.about}: {first.message}{more}", code=first.code, hint=f"{first.hint} Or say {chosen_by}."
        )
    return PermanentError(f"{first.message}{more}", code=first.code, hint=first.hint)
