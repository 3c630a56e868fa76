"""The virtual cluster's Helm release on the host."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from django.conf import settings

from clusters.adoption import Adoption
from clusters.chart_values import not_synced, values_render
from clusters.chart_wish import HostCapabilities, ImageSettings, ReleaseWish
from clusters.models import Exposure, Placement
from clusters.sizes import SIZES
from clusters.upgrade_offer import versions_of
from clusters.upgrade_versions import Versions
from provisioning.charts import chart_fetch
from provisioning.drivers.charts import ChartInfo
from provisioning.drivers.kinds import DEPLOYMENT, STATEFUL_SET, Json, kind_of
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.engine.flow import Skip, StepResult, step
from provisioning.steps.guardrails import exposure_of

HELM_SECONDS = 120.0
PAUSED = "loft.sh/paused"
PAUSED_REPLICAS = "loft.sh/paused-replicas"
PAUSE_MARKS = (PAUSED, PAUSED_REPLICAS, "loft.sh/paused-date")
"""Annotations of the workload: what upstream's `vcluster pause` writes (vcluster.md, "Pause and resume")."""


@step("Install the virtual cluster's release")
def install_release(context: StepContext) -> StepResult:
    """Installs the chart with the values that are wanted, unless the newest revision is that already."""
    placement, chart = context.placement, chart_fetch(context.virtual_cluster.chart_version)
    if placement.values_digest == _digest(release_values(context), chart.digest):  # else helm need not be asked
        current = context.helm().status(placement.release, placement.namespace)
        if current is not None and (current.status, current.revision) == ("deployed", placement.revision):
            return Skip("It is installed already, with these values.")
    _install(context, chart)
    return None


@step("Bring the release to what is wanted")
def update_release(context: StepContext) -> StepResult:
    """Installs the chart with the values that are wanted, whatever is there.

    It is never skipped: helm's record of a release says nothing of what was done to its objects since. Helm brings
    back what is gone and sets what differs; where nothing does, no pod is replaced. One that is asleep stays asleep:
    its values say so, as the release would wake it otherwise. Of one that is not, what pausing left goes too.
    """
    _install(context, chart_fetch(context.virtual_cluster.chart_version))
    if not context.virtual_cluster.sleeping:
        unpause(context.kube(), context.placement)
    return None


def _install(context: StepContext, chart: ChartInfo) -> None:
    """Always the full values, merged in a fixed order."""
    placement, values = context.placement, release_values(context)
    # known before anything is installed, so that a delete after a crash looks for all of it
    context.write(
        placement,
        not_synced=[asdict(kind) for kind in not_synced(values)],
        syncs_priority_classes=syncs(values, "priorityClasses"),
    )
    helm, namespace = context.helm(), placement.namespace
    released = helm.upgrade_install(placement.release, chart.path, namespace, values, HELM_SECONDS)
    context.write(
        placement,
        revision=released.revision,
        values_digest=_digest(values, chart.digest),
        chart_version=chart.version,
        chart_digest=chart.digest,
    )


def workload_of(kube: KubeClient, placement: Placement) -> Json | None:
    """The release's control plane: a StatefulSet, or a Deployment where it keeps no volume. None where it is gone."""
    found = kube.get(STATEFUL_SET, placement.release, placement.namespace)
    return found or kube.get(DEPLOYMENT, placement.release, placement.namespace)


def paused(workload: Json) -> bool:
    """Whether it sleeps as upstream's pause leaves it: marked, and without a replica."""
    return annotations_of(workload).get(PAUSED) == "true" and not workload["spec"].get("replicas", 1)


def stopped_outside(workload: Json) -> bool:
    """Whether somebody took its replicas away without upstream's mark: no sleep, and nothing that wakes it knows."""
    return annotations_of(workload).get(PAUSED) != "true" and not workload["spec"].get("replicas", 1)


def awake(workload: Json) -> bool:
    """Whether it is meant to run: neither marked as paused nor without a replica."""
    return annotations_of(workload).get(PAUSED) != "true" and bool(workload["spec"].get("replicas", 1))


def unpause(kube: KubeClient, placement: Placement) -> None:
    """Takes away the marks that upstream's pause leaves; the replicas are the release's own again already."""
    workload = workload_of(kube, placement)
    marks = [mark for mark in PAUSE_MARKS if mark in annotations_of(workload)] if workload else []
    if workload and marks:
        patch = {"metadata": {"annotations": dict.fromkeys(marks)}}
        kube.patch_merge(kind_of(workload), placement.release, placement.namespace, patch)


def annotations_of(found: Json) -> dict[str, str]:
    """Its annotations, if only none."""
    annotations: dict[str, str] = found["metadata"].get("annotations") or {}
    return annotations


def release_values(context: StepContext, *, versions: Versions | None = None) -> dict[str, Any]:
    """The full values of the release, merged in the fixed order of clusters/chart_values.py.

    With the versions that are wanted of the cluster, unless others are given.
    """
    cluster, host = context.virtual_cluster, context.placement.host
    adoption = Adoption.of_json(context.placement.adopted)
    wanted = versions or versions_of(cluster)
    chart_version = f"{wanted.chart}{wanted.chart.addition}"
    wish = ReleaseWish(
        kubernetes_version=wanted.kubernetes,
        chart_version=chart_version,
        size=SIZES[cluster.size],
        replicas=0 if cluster.sleeping else cluster.replicas,
        load_balancer=exposure_of(context) == Exposure.LOAD_BALANCER,
    )
    return values_render(
        wish,
        images=_images(adoption, chart_version),
        capabilities=HostCapabilities.of_host(host.api_groups, host.values),
        host_values=host.values,
        spec_values=adoption.values(cluster.values) if adoption else cluster.values,
    )


def _images(adoption: Adoption | None, chart_version: str) -> ImageSettings:
    """An adopted one brings its images along, with its values."""
    if adoption:
        return ImageSettings(vcluster_tag=adoption.image_tag or chart_version)
    return ImageSettings(
        vcluster_registry=settings.VCLUSTER_IMAGE_REGISTRY,
        vcluster_repository=settings.VCLUSTER_IMAGE_REPOSITORY,
        vcluster_tag=settings.VCLUSTER_IMAGE_TAG,
        kubernetes_registry=settings.KUBERNETES_IMAGE_REGISTRY,
        kubernetes_repository=settings.KUBERNETES_IMAGE_REPOSITORY,
        default_registry=settings.DEFAULT_IMAGE_REGISTRY,
    )


def syncs(values: dict[str, Any], kind: str) -> bool:
    """Whether a release with these values puts such objects on the host."""
    return bool(values.get("sync", {}).get("toHost", {}).get(kind, {}).get("enabled"))


def _digest(values: dict[str, Any], chart_digest: str) -> str:
    text = json.dumps({"values": values, "chart": chart_digest}, sort_keys=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
