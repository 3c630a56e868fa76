"""Finding virtual clusters on a host that Marina did not make. Nothing on the host is changed."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from clusters.models import DiscoveredCluster, HostCluster, HostMode, Placement, VirtualCluster, VirtualClusterPhase
from provisioning.drivers.kinds import DEPLOYMENT, NAMESPACE, STATEFUL_SET, Json
from provisioning.drivers.kube import KubeClient
from provisioning.steps.names import CLUSTER_ID_LABEL, SYNCED_BY
from provisioning.steps.release import PAUSED, annotations_of

SELECTOR = f"app=vcluster,release,!{SYNCED_BY}"
"""Control planes by the chart's own labels; not a tenant's workload that happens to bear the first of them."""
CHART_PREFIX = "vcluster-"
DISTRO_CONTAINERS = ("kubernetes", "vcluster", "k8s")
"""Names of the init container that brings Kubernetes, in the present chart and in older ones."""

Key = tuple[str, str]
"""Namespace and release."""


def inventory_note(*, host: HostCluster, kube: KubeClient, now: datetime) -> None:
    """Brings the host's DiscoveredCluster rows to what is there; those that are gone, or placed by now, go.

    In mode `namespaces` it looks into the given ones only. Raises StepErrors where the host cannot be asked, or
    refuses (an older manifest): the rows stay as they are then.
    """
    workloads = {_key(found): found for found in _workloads(host, kube)}
    placed = _placed(host)
    strangers = {key: found for key, found in workloads.items() if key not in placed}
    ours = _namespaces_of_clusters({namespace for namespace, _ in strangers}, kube)
    with transaction.atomic():
        # whoever adopts one locks its host too: what was placed meanwhile is no stranger any more
        if HostCluster.objects.select_for_update(of=("self",), no_key=True).filter(pk=host.pk).first() is None:
            return
        placed |= _placed(host)
        foreign = {key: found for key, found in strangers.items() if key not in placed and key[0] not in ours}
        _rows_write(host, foreign, now)


def _workloads(host: HostCluster, kube: KubeClient) -> Iterable[Json]:
    namespaces: list[str | None] = [*host.namespaces] if host.mode == HostMode.NAMESPACES else [None]
    for namespace in namespaces:
        for kind in (STATEFUL_SET, DEPLOYMENT):
            yield from kube.list(kind, namespace, label_selector=SELECTOR)


def _key(workload: Json) -> Key:
    metadata = workload["metadata"]
    return metadata["namespace"], metadata["labels"]["release"]


def _placed(host: HostCluster) -> set[Key]:
    """In any role: retained and lost ones too."""
    return set(Placement.objects.filter(host=host).values_list("namespace", "release"))


def _namespaces_of_clusters(namespaces: set[str], kube: KubeClient) -> set[str]:
    """Those that bear the label of a cluster of this Marina: one whose deletion is ending, or of another host's row."""
    labelled = {namespace: _owner(kube.get(NAMESPACE, namespace)) for namespace in namespaces}
    alive = VirtualCluster.objects.filter(pk__in=[owner for owner in labelled.values() if owner])
    known = set(alive.exclude(phase=VirtualClusterPhase.DELETED).values_list("pk", flat=True))
    return {namespace for namespace, owner in labelled.items() if owner in known}


def _owner(namespace: Json | None) -> UUID | None:
    text = ((namespace or {}).get("metadata", {}).get("labels") or {}).get(CLUSTER_ID_LABEL, "")
    try:
        return UUID(text)
    except ValueError:
        return None


def _rows_write(host: HostCluster, foreign: dict[Key, Json], now: datetime) -> None:
    kept = []
    for (namespace, release), found in foreign.items():
        row, _ = DiscoveredCluster.objects.update_or_create(
            host=host, namespace=namespace, release=release, defaults={**workload_told(found), "seen_at": now}
        )
        kept.append(row.pk)
    DiscoveredCluster.objects.filter(host=host).exclude(pk__in=kept).delete()


def workload_told(workload: Json) -> dict[str, Any]:
    """What a control plane's workload tells of it, as the columns of DiscoveredCluster."""
    metadata, pod = workload["metadata"], workload["spec"]["template"]["spec"]
    return {
        "workload": workload["kind"],
        "uid": metadata["uid"],
        "chart_version": chart_version_of(workload)[:40],
        "kubernetes_version": _kubernetes_version(pod)[:40],
        "image": _image(pod)[:500],
        "paused": annotations_of(workload).get(PAUSED) == "true",
    }


def chart_version_of(workload: Json) -> str:
    """By the chart's label, as in `vcluster-0.36.1`; "" without one."""
    label: str = (workload["metadata"].get("labels") or {}).get("chart", "")
    return label.removeprefix(CHART_PREFIX) if label.startswith(CHART_PREFIX) else ""


def _image(pod: Json) -> str:
    containers = pod.get("containers") or []
    syncer = [each for each in containers if each.get("name") == "syncer"] or containers
    return str(syncer[0].get("image", "")) if syncer else ""


def _kubernetes_version(pod: Json) -> str:
    """The tag of the image that brings Kubernetes."""
    containers = pod.get("initContainers") or []
    named = [each for each in containers if each.get("name") in DISTRO_CONTAINERS]
    image = str(named[0].get("image", "")) if named else ""
    tag = image.rpartition("/")[2].partition(":")[2]
    return tag.partition("@")[0].removeprefix("v")
