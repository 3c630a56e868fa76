"""Whether workloads run in a virtual cluster, which may serve somebody whom no signal sees."""

from provisioning.drivers.kinds import POD
from provisioning.drivers.kube import KubeClient
from provisioning.engine.errors import StepError
from provisioning.steps.names import SYNCED_BY

NAMESPACE = "vcluster.loft.sh/namespace"
"""A label of its pods on the host: their namespace inside."""


def serving_read(*, namespace: str, release: str, kube: KubeClient) -> bool | None:
    """By its pods on the host, less those of its own system (DNS); None where that cannot be seen. Raises nothing."""
    try:
        pods = kube.list(POD, namespace, label_selector=f"{SYNCED_BY}={release},{NAMESPACE}!=kube-system")
    except StepError:
        return None
    return any((pod.get("status") or {}).get("phase") in ("Running", "Pending") for pod in pods)
