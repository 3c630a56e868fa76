"""What the steps of an upgrade keep, and the versions that they write into what is wanted of the cluster."""

from dataclasses import replace
from typing import Any

from clusters.adoption import Adoption
from clusters.chart_values import values_merge
from clusters.kinds import GENERATION
from clusters.models import Operation, VirtualCluster
from clusters.upgrade_offer import versions_of
from clusters.upgrade_versions import Versions
from provisioning.engine.context import StepContext
from provisioning.engine.errors import TemporaryError
from provisioning.upgrades.progress import WAY, Progress


def progress_of(context: StepContext) -> Progress:
    """How far it has come. TemporaryError before its way was found."""
    progress = Progress.of(context.params)
    if progress is None:
        raise TemporaryError("The way was not looked for yet.", code="no-way")
    return progress


def keep(context: StepContext, changes: dict[str, Any]) -> None:
    """In the operation's params, of which others write a part too."""
    with context.fenced() as row:
        _params_write(context, row, changes)


def _params_write(context: StepContext, row: Operation, changes: dict[str, Any]) -> None:
    params = {**Operation.objects.values_list("params", flat=True).get(pk=row.pk), **changes}
    Operation.objects.filter(pk=row.pk).update(params=params)
    context.operation.params = params


def versions_write(context: StepContext, versions: Versions, progress: Progress) -> None:
    """Into what is wanted of the cluster, as a new generation, in one transaction with how far it is.

    What else was changed meanwhile is seen through by the operation that waits for its turn to do so.
    """
    with context.fenced() as row:
        cluster = VirtualCluster.objects.get(pk=context.virtual_cluster.pk)
        seen = Operation.objects.values_list("params", flat=True).get(pk=row.pk).get(GENERATION)
        followed = {GENERATION: cluster.generation + 1} if seen == cluster.generation else {}
        kept = versions.as_json()
        _image_follow(context, versions_of(cluster), versions)
        VirtualCluster.objects.filter(pk=cluster.pk).update(
            kubernetes_version=kept["kubernetes"], chart_version=kept["chart"], generation=cluster.generation + 1
        )
        _params_write(context, row, {WAY: progress.as_json(), **followed})


def _image_follow(context: StepContext, before: Versions, after: Versions) -> None:
    """An adopted one keeps the image that it came with; where that is its chart's own, it goes along with the chart."""
    placement = context.placement
    adoption = Adoption.of_json(placement.adopted)
    if adoption is None or before.chart == after.chart:
        return
    if adoption.image_tag not in (f"{before.chart}", f"v{before.chart}"):
        return
    prefix = "v" if adoption.image_tag.startswith("v") else ""
    tag = {"controlPlane": {"statefulSet": {"image": {"tag": f"{prefix}{after.chart}"}}}}
    followed = replace(adoption, image_values=values_merge(adoption.image_values, tag))
    context.write(placement, adopted=followed.as_json())
