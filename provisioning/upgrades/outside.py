"""What an upgrade would meet outside of the cluster: its sleep, its charts, and whether there is a way back."""

from collections.abc import Iterator

from clusters.adoption import Adoption, backing_store_of
from clusters.chart_values import values_merge
from clusters.models import Placement, VirtualCluster
from clusters.preflight import Finding
from clusters.selectors_upgrades import host_has_run
from clusters.services.export_writing import newest_export
from clusters.upgrade_offer import offer_now, versions_last_run
from clusters.upgrade_versions import Versions, Way
from clusters.upgrading import can_go_back, minors_of
from provisioning.charts import chart_fetch
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.steps.release import release_values
from provisioning.upgrades.findings import blocks, note

# Asleep


def asleep_findings(cluster: VirtualCluster, placement: Placement, has: Versions, way: Way) -> Iterator[Finding]:
    """Each minor has to run once to carry over what the one before it stored, and nothing of it runs now."""
    if not cluster.sleeping:
        return
    ran = versions_last_run(cluster)
    since = (has,) if ran != has else ()
    if max(minors_of(ran, (*since, *way.hops))) > 1:
        yield blocks(
            "asleep",
            str(cluster),
            f"Asleep it goes one minor up and no further, and what ran last was Kubernetes {ran.kubernetes} with chart "
            f"{ran.chart}: each minor has to run once before the next.",
            f"Wake it, then upgrade it: marina wake {cluster.name} --project {cluster.project}.",
        )
    wants = way.hops[-1].kubernetes if way.hops else has.kubernetes
    if not host_has_run(placement.host, str(wants)):
        yield note(
            "image-unseen",
            str(cluster),
            f"No cluster on {placement.host.name} has run Kubernetes {wants} yet. Should its image be missing there, "
            "that is seen only when this one wakes.",
            "Where that is not certain, wake it first: awake, a missing image is put back by itself.",
        )
    if newest_export(cluster) is None:
        yield note("no-export", str(cluster), "It was not exported before it fell asleep, and nothing can be now.")


# The chart


def chart_findings(context: StepContext, placement: Placement, has: Versions, way: Way) -> Iterator[Finding]:
    charts = list(dict.fromkeys([has.chart, *(hop.chart for hop in way.hops)]))
    support, told = offer_now().support, [f"{each}{each.addition}" for each in charts]
    for version in told:
        try:
            chart_fetch(version)
        except (PermanentError, TemporaryError) as error:
            why = f"Chart {version} cannot be fetched, and the way leads over it or back to it: {error.message}"
            yield blocks("chart", f"chart {version}", why, error.hint)
            return
    for each in charts[1:]:
        if each not in support:
            yield note(
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
            yield blocks(
                "values", name, f"It does not take the values that the cluster has: {error.message}", error.hint
            )
        if (gets := backing_store_of(values_merge(chart.default_values, values))) != store:
            why = f"The state is kept in its {store}, and this chart would use its {gets}: an empty one."
            yield blocks("backing-store", name, why, "Say so in controlPlane.backingStore (spec.values), as it is now.")
    adoption = Adoption.of_json(placement.adopted)
    if adoption and adoption.image_tag and adoption.image_tag not in (f"{has.chart}", f"v{has.chart}"):
        why = f"It was adopted with the image {adoption.image_tag}, which it keeps whatever its chart is."
        yield note("image-pinned", str(context.virtual_cluster), why)


def _store(context: StepContext, has: Versions) -> str:
    chart = chart_fetch(f"{has.chart}{has.chart.addition}")
    return backing_store_of(values_merge(chart.default_values, release_values(context)))


# The way back


def rollback_finding(cluster: VirtualCluster, has: Versions, way: Way) -> Iterator[Finding]:
    before, for_good = has, []
    for hop in way.hops:
        if not can_go_back(before, hop):
            for_good.append(hop.told_after(before))
        before = hop
    if not for_good:
        yield note("rollback", str(cluster), "If it fails, it is put back to the versions that it has now.")
        return
    yield note(
        "rollback",
        str(cluster),
        f"{' and '.join(for_good)} can be put back only until its control plane has started once: what a newer minor "
        "stored, the older one cannot read. An image that is missing never starts, so that is put back by itself.",
        "After that the way back is a new cluster from the export that is made before: "
        f"marina restore {cluster.name} --as {cluster.name}-2.",
    )
