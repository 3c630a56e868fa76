"""The virtual cluster's Helm release on the host."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from django.conf import settings

from clusters.chart_values import not_synced, values_render
from clusters.chart_wish import HostCapabilities, ImageSettings, ReleaseWish
from clusters.models import Exposure
from clusters.sizes import SIZES
from clusters.versions import KubernetesVersion
from provisioning.charts import chart_fetch
from provisioning.engine.context import StepContext
from provisioning.engine.flow import Skip, StepResult, step
from provisioning.steps.guardrails import exposure_of

HELM_SECONDS = 120.0


@step("Install the virtual cluster's release")
def install_release(context: StepContext) -> StepResult:
    """Brings the release to the chart and values that are wanted; always the full values, merged in a fixed order."""
    placement, helm, version = context.placement, context.helm(), context.virtual_cluster.chart_version
    chart = chart_fetch(version)
    values = release_values(context)
    digest = _digest(values, chart.digest)
    current = helm.status(placement.release, placement.namespace)
    if current and current.status == "deployed" and placement.values_digest == digest:
        return Skip("It is installed already, with these values.")
    # known before anything is installed, so that a delete after a crash looks for all of it
    context.write(
        placement,
        not_synced=[asdict(kind) for kind in not_synced(values)],
        syncs_priority_classes=_syncs(values, "priorityClasses"),
    )
    released = helm.upgrade_install(placement.release, chart.path, placement.namespace, values, HELM_SECONDS)
    context.write(
        placement,
        revision=released.revision,
        values_digest=digest,
        chart_version=version,
        chart_digest=chart.digest,
    )
    return None


def release_values(context: StepContext) -> dict[str, Any]:
    """The full values of the release, merged in the fixed order of clusters/chart_values.py."""
    cluster, host = context.virtual_cluster, context.placement.host
    wish = ReleaseWish(
        kubernetes_version=KubernetesVersion.parse(cluster.kubernetes_version),
        chart_version=cluster.chart_version,
        size=SIZES[cluster.size],
        replicas=cluster.replicas,
        load_balancer=exposure_of(context) == Exposure.LOAD_BALANCER,
    )
    return values_render(
        wish,
        images=_images(),
        capabilities=HostCapabilities.of_host(host.api_groups, host.values),
        host_values=host.values,
        spec_values=cluster.values,
    )


def _images() -> ImageSettings:
    return ImageSettings(
        vcluster_registry=settings.VCLUSTER_IMAGE_REGISTRY,
        vcluster_repository=settings.VCLUSTER_IMAGE_REPOSITORY,
        vcluster_tag=settings.VCLUSTER_IMAGE_TAG,
        kubernetes_registry=settings.KUBERNETES_IMAGE_REGISTRY,
        kubernetes_repository=settings.KUBERNETES_IMAGE_REPOSITORY,
        default_registry=settings.DEFAULT_IMAGE_REGISTRY,
    )


def _syncs(values: dict[str, Any], kind: str) -> bool:
    return bool(values.get("sync", {}).get("toHost", {}).get(kind, {}).get("enabled"))


def _digest(values: dict[str, Any], chart_digest: str) -> str:
    text = json.dumps({"values": values, "chart": chart_digest}, sort_keys=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
