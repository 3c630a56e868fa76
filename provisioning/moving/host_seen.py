"""What the host to which a cluster moves has of what its workloads ask for."""

from collections.abc import Callable
from dataclasses import dataclass

from clusters.models import HostCluster, HostMode
from provisioning.capacity import node_usable
from provisioning.drivers.kinds import NODE, RESOURCE_QUOTA, STORAGE_CLASS, Json
from provisioning.drivers.kube import KubeClient
from provisioning.engine.errors import PermanentError
from provisioning.moving.quotas import GivenSeen


@dataclass(frozen=True, kw_only=True)
class HostSeen:
    """None where Marina may not look. `default_class` is "" where it has none."""

    name: str
    storage_classes: frozenset[str] | None = None
    default_class: str = ""
    ingress_classes: frozenset[str] = frozenset()
    nodes: tuple[Json, ...] | None = None


def host_seen(host: HostCluster, kube: KubeClient) -> HostSeen:
    """Asks it now. TemporaryError where it does not answer; in mode `namespaces` nothing of the whole host is asked."""
    kube.version()
    asks = host.mode == HostMode.CLUSTER
    classes = _may(lambda: kube.list(STORAGE_CLASS)) if asks else None
    return HostSeen(
        name=host.name,
        storage_classes=None if classes is None else frozenset(each["metadata"]["name"] for each in classes),
        default_class=host.storage_class,
        ingress_classes=frozenset(each["name"] for each in host.ingress_classes),
        nodes=_nodes(kube) if asks else None,
    )


def given_seen(host: HostCluster, kube: KubeClient, namespace: str) -> GivenSeen:
    """A namespace that the host's administrators gave, as it is now."""
    quotas = _may(lambda: kube.list(RESOURCE_QUOTA, namespace))
    return GivenSeen(host=host.name, namespace=namespace, quotas=None if quotas is None else tuple(quotas))


def _nodes(kube: KubeClient) -> tuple[Json, ...] | None:
    """Those that take pods."""
    found = _may(lambda: kube.list(NODE))
    return None if found is None else tuple(node for node in found if node_usable(node))


def _may(ask: Callable[[], list[Json]]) -> list[Json] | None:
    """None where this credential may not ask that."""
    try:
        return ask()
    except PermanentError as error:
        if error.code == "forbidden":
            return None
        raise
