"""What an upgrade would meet: its way, what is in it, and who uses what the newer Kubernetes serves no more."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from clusters.adoption import Adoption, backing_store_of
from clusters.chart_values import values_merge
from clusters.models import Placement, VirtualCluster
from clusters.preflight import Finding, Report, Weight
from clusters.removed_apis import removed_between
from clusters.selectors_upgrades import askers_of
from clusters.services.export_writing import newest_export
from clusters.services.upgrading import TO
from clusters.upgrade_offer import ground_of, offer_now, versions_last_run, versions_of
from clusters.upgrading import Versions, Way, can_go_back, minors_of, way_find
from provisioning.charts import chart_fetch
from provisioning.drivers.errors import NotFound
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.steps.release import release_values
from provisioning.upgrades.deprecated import definitions_unserved, requested_of, written_in

REMOVED: Final = "removed-apis"
"""The name of the choice."""
ACCEPT: Final = "accept"
_GO_ON: Final = {ACCEPT: "Upgrade all the same: what asks for these versions gets errors until it asks for newer ones."}
AWAY_SECONDS: Final = 15.0
"""Of the API, a hop: what was measured of upstream's chart (11 to 15 s); workloads go on meanwhile."""
NAMED_MOST: Final = 10


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
        yield f"{_from(before, hop)} becomes {hop.told_after(before)}."
        before = hop
    if not cluster.sleeping:
        yield "API version, nodes and workloads are compared with those from before."


def _from(before: Versions, after: Versions) -> str:
    """The old versions of what is new."""
    return before.told_after(after)


def _findings(
    context: StepContext, placement: Placement | None, has: Versions, wants: Versions, way: Way
) -> Iterator[Finding]:
    cluster = context.virtual_cluster
    if placement is None:
        yield _blocks("not-placed", str(cluster), "It has no host yet.", "Wait until it is Ready.")
        return
    if way.refusal:
        refusal = way.refusal
        yield _blocks(refusal.code, str(cluster), refusal.message, f"Possible: {refusal.accepted}.")
        return
    yield from _asleep_findings(cluster, has, way)
    yield from _chart_findings(context, placement, has, way)
    yield from _rollback_finding(cluster, has, way)
    if cluster.sleeping:
        yield _note("asleep", str(cluster), "It is asleep, so nobody can look who uses what will be gone.")
        return
    yield from _inside_findings(context, has, wants)


def _blocks(code: str, about: str, message: str, hint: str = "") -> Finding:
    return Finding(weight=Weight.BLOCKS, code=code, about=about, message=message, hint=hint)


def _note(code: str, about: str, message: str, hint: str = "") -> Finding:
    return Finding(weight=Weight.NOTE, code=code, about=about, message=message, hint=hint)


# Asleep


def _asleep_findings(cluster: VirtualCluster, has: Versions, way: Way) -> Iterator[Finding]:
    """Each minor has to run once to carry over what the one before it stored, and nothing of it runs now."""
    if not cluster.sleeping:
        return
    ran = versions_last_run(cluster)
    since = (has,) if ran != has else ()
    if max(minors_of(ran, (*since, *way.hops))) > 1:
        yield _blocks(
            "asleep",
            str(cluster),
            f"Asleep it goes one minor up and no further, and what ran last was Kubernetes {ran.kubernetes} with chart "
            f"{ran.chart}: each minor has to run once before the next.",
            f"Wake it, then upgrade it: marina wake {cluster.name} --project {cluster.project}.",
        )
    if newest_export(cluster) is None:
        yield _note("no-export", str(cluster), "It was not exported before it fell asleep, and nothing can be now.")


# The chart


def _chart_findings(context: StepContext, placement: Placement, has: Versions, way: Way) -> Iterator[Finding]:
    charts = list(dict.fromkeys([has.chart, *(hop.chart for hop in way.hops)]))
    support, told = offer_now().support, [f"{each}{each.addition}" for each in charts]
    for version in told:
        try:
            chart_fetch(version)
        except (PermanentError, TemporaryError) as error:
            why = f"Chart {version} cannot be fetched, and the way leads over it or back to it: {error.message}"
            yield _blocks("chart", f"chart {version}", why, error.hint)
            return
    for each in charts[1:]:
        if each not in support:
            yield _note(
                "chart-support",
                f"chart {each}",
                "Nobody has said which Kubernetes versions it runs.",
                "The platform team says so by the setting CHART_VERSIONS.",
            )
    yield from _values_findings(context, placement, has, way)


def _values_findings(context: StepContext, placement: Placement, has: Versions, way: Way) -> Iterator[Finding]:
    """Whether each chart of the way takes the values that it has, and keeps its state where it is."""
    if all(hop.chart == has.chart for hop in way.hops):
        return
    store = _store(context, has)
    for hop in way.hops:
        chart, values = chart_fetch(f"{hop.chart}{hop.chart.addition}"), release_values(context, versions=hop)
        name = f"chart {hop.chart}"
        try:
            context.helm().render(
                placement.release,
                chart.path,
                placement.namespace,
                values,
                kubernetes_version=placement.host.kubernetes_version or "1.30.0",
            )
        except PermanentError as error:
            yield _blocks(
                "values", name, f"It does not take the values that the cluster has: {error.message}", error.hint
            )
        if (gets := backing_store_of(values_merge(chart.default_values, values))) != store:
            why = f"The state is kept in its {store}, and this chart would use its {gets}: an empty one."
            yield _blocks(
                "backing-store", name, why, "Say so in controlPlane.backingStore (spec.values), as it is now."
            )
    adoption = Adoption.of_json(placement.adopted)
    if adoption and adoption.image_tag and adoption.image_tag not in (f"{has.chart}", f"v{has.chart}"):
        why = f"It was adopted with the image {adoption.image_tag}, which it keeps whatever its chart is."
        yield _note("image-pinned", str(context.virtual_cluster), why)


def _store(context: StepContext, has: Versions) -> str:
    chart = chart_fetch(f"{has.chart}{has.chart.addition}")
    return backing_store_of(values_merge(chart.default_values, release_values(context)))


# The way back


def _rollback_finding(cluster: VirtualCluster, has: Versions, way: Way) -> Iterator[Finding]:
    before, for_good = has, []
    for hop in way.hops:
        if not can_go_back(before, hop):
            for_good.append(hop.told_after(before))
        before = hop
    if not for_good:
        yield _note("rollback", str(cluster), "If it fails, it is put back to the versions that it has now.")
        return
    yield _note(
        "rollback",
        str(cluster),
        f"{' and '.join(for_good)} can be put back only until its control plane has started once: what a newer minor "
        "stored, the older one cannot read. An image that is missing never starts, so that is put back by itself.",
        f"After that the way back is a new cluster from the export that is made before: marina restore {cluster.name}.",
    )


# Inside


def _inside_findings(context: StepContext, has: Versions, wants: Versions) -> Iterator[Finding]:
    try:
        with context.virtual() as kube:
            yield from _requested(context, kube, wants)
            yield from _written(kube, has, wants)
            for name, versions in definitions_unserved(kube):
                why = f"Objects of it may be stored in {' and '.join(versions)}, which it does not serve any more."
                yield _note(
                    "stored-version", f"CustomResourceDefinition {name}", why, "Store them again, in a served one."
                )
    except TemporaryError as error:
        yield _blocks(
            "no-answer", str(context.virtual_cluster), f"Its API does not answer: {error.message}", error.hint
        )


def _requested(context: StepContext, kube: KubeClient, wants: Versions) -> Iterator[Finding]:
    try:
        metrics = kube.metrics()
    except (PermanentError, NotFound) as error:
        yield _note("metrics", str(context.virtual_cluster), f"Who asks for what could not be read: {error.message}")
        return
    for each in requested_of(metrics, gone_by=wants.kubernetes.line):
        askers = askers_of(context.virtual_cluster, group=each.group, version=each.version, resource=each.resource)
        by = f" Through the gateway: {_few(askers)}." if askers else ""
        yield _choice(
            f"{each}",
            f"Somebody asked for it since the API server started, and from Kubernetes {each.removed_release} on it is "
            f"not served any more.{by}",
            "Update whoever asks for it first; it is not named where it comes from inside the cluster.",
        )


def _written(kube: KubeClient, has: Versions, wants: Versions) -> Iterator[Finding]:
    removed = removed_between(has.kubernetes.line, wants.kubernetes.line)
    for each in written_in(kube, removed):
        instead = f" Write it as {each.removed.instead}." if each.removed.instead else " Nothing takes its place."
        yield _choice(
            str(each),
            f"It was written as {each.removed.api_version} by {_few(list(each.managers))}, which Kubernetes "
            f"{each.removed.release} does not serve any more.",
            f"What is stored stays.{instead}",
        )


def _choice(about: str, message: str, hint: str) -> Finding:
    return Finding(
        weight=Weight.CHOICE,
        code="removed-api",
        about=about,
        message=message,
        hint=hint,
        choice=REMOVED,
        options=_GO_ON,
    )


def _few(names: list[str]) -> str:
    more = f" and {len(names) - NAMED_MOST} more" if len(names) > NAMED_MOST else ""
    return ", ".join(names[:NAMED_MOST]) + more


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
