"""What keeps a virtual cluster's pods in their place on the host: quota, defaults for limits, network isolation."""

from clusters.models import Exposure, Placement, VirtualCluster
from clusters.sizes import SIZES
from provisioning.drivers.kinds import NETWORK_POLICY, Json
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.engine.flow import StepResult, step
from provisioning.steps.names import CLUSTER_ID_LABEL, MANAGED_BY, MARINA, SYNCED_BY, owner_labels

NAME = "marina"
PUBLISHED_API = "marina-published-api"
API_PORT = 8443
# Addresses that are the cluster's own, its nodes' or the cloud's (metadata): pods reach none of them by default.
PRIVATE_NETWORKS = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"]


@step("Set quota, limits and network isolation")
def apply_guardrails(context: StepContext) -> StepResult:
    """From the start, before anything runs there. One that only another exposure takes goes."""
    kube, placement = context.kube(), context.placement
    manifests = guardrail_manifests(placement, context.virtual_cluster)
    for manifest in manifests:
        kube.apply(manifest)
    if PUBLISHED_API not in [manifest["metadata"]["name"] for manifest in manifests]:
        _close_published_api(kube, placement)
    return None


def _close_published_api(kube: KubeClient, placement: Placement) -> None:
    """A tenant's own policy of that name bears other labels."""
    selector = own_selector(placement)
    for found in kube.list(NETWORK_POLICY, placement.namespace, label_selector=selector):
        if found["metadata"]["name"] == PUBLISHED_API:
            kube.delete(NETWORK_POLICY, PUBLISHED_API, placement.namespace, uid=found["metadata"]["uid"])


def own_selector(placement: Placement) -> str:
    """Labels of what Marina itself put there for the cluster; no copy of a tenant's object has them all."""
    return f"{MANAGED_BY}={MARINA},{CLUSTER_ID_LABEL}={placement.virtual_cluster_id},!{SYNCED_BY}"


def exposure_of(context: StepContext) -> Exposure:
    """The cluster's own exposure, or the host's."""
    return _exposure(context.placement, context.virtual_cluster)


def _exposure(placement: Placement, cluster: VirtualCluster) -> Exposure:
    return Exposure(cluster.exposure or placement.host.exposure)


def guardrail_manifests(placement: Placement, cluster: VirtualCluster) -> list[Json]:
    """The LimitRange goes first: with a quota on limits and no defaults, pods without limits would be refused."""
    size, namespace = SIZES[cluster.size], placement.namespace
    quota = size.quota_hard(replicas=cluster.replicas)
    metadata = {"name": NAME, "namespace": namespace, "labels": owner_labels(cluster)}
    return [
        {"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": {"limits": size.limit_range_limits()}},
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": quota}},
        *_network_policies(placement, cluster),
    ]


def _network_policies(placement: Placement, cluster: VirtualCluster) -> list[Json]:
    def policy(name: str, spec: Json) -> Json:
        metadata = {"name": name, "namespace": placement.namespace, "labels": owner_labels(cluster)}
        return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}

    # a tenant's own pods may carry any label, but all that are synced carry this one, which the syncer sets
    control_plane = {
        "matchLabels": {"app": "vcluster", "release": placement.release},
        "matchExpressions": [{"key": SYNCED_BY, "operator": "DoesNotExist"}],
    }
    policies = [
        policy("marina-isolation", _isolation()),
        # the syncer speaks to the host's API, whose address differs from host to host
        policy(
            "marina-control-plane",
            {"podSelector": control_plane, "policyTypes": ["Egress"], "egress": [{"ports": _tcp(443, 6443, API_PORT)}]},
        ),
    ]
    if _exposure(placement, cluster) == Exposure.LOAD_BALANCER:
        policies.append(
            policy(
                PUBLISHED_API,
                {"podSelector": control_plane, "policyTypes": ["Ingress"], "ingress": [{"ports": _tcp(API_PORT)}]},
            )
        )
    return policies


def _isolation() -> Json:
    """In: only from the same namespace. Out: the same namespace, DNS, and the internet; no other tenant, no node."""
    own: Json = {"podSelector": {}}
    dns = {
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
        "ports": [{"port": port, "protocol": protocol} for port in (53, 1053) for protocol in ("UDP", "TCP")],
    }
    internet = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": PRIVATE_NETWORKS}}]}
    return {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [own]}],
        "egress": [{"to": [own]}, dns, internet],
    }


def _tcp(*ports: int) -> list[Json]:
    return [{"port": port, "protocol": "TCP"} for port in ports]
