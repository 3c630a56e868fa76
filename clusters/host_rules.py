"""What Marina may do on a host cluster, as data: the least that its work takes.

Nothing here is a wildcard, nothing is `escalate`, and secrets and exec exist only inside a virtual cluster's namespace.
RBAC lets nobody create a Role with more rights than he holds, so Marina holds every right that the Role of vcluster's
chart grants, also those that Marina itself never uses.
"""

from dataclasses import dataclass
from typing import Final

from clusters.lifecycle.ingress_metrics import IngressMetrics

SERVICE_ACCOUNT: Final = "marina"
SYSTEM_NAMESPACE: Final = "marina-system"
HOST_ROLE: Final = "marina-host"
TENANT_ROLE: Final = "marina-tenant"
"""The role's name, and also that of the RoleBinding that Marina makes in each namespace: it may change no other one."""
NAMESPACE_ROLE: Final = "marina-namespace"
RENEWAL_ROLE: Final = "marina-token"
TRAFFIC_ROLE: Final = "marina-traffic"
LONG_LIVED: Final = "marina-token"
"""The secret with a token that does not expire, where the administrator chose one."""

_ALL: Final = ("create", "delete", "get", "list", "patch", "update", "watch")
_READ: Final = ("get", "list", "watch")
_APPLY: Final = ("create", "delete", "get", "patch")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule of a Role, and what Marina needs it for."""

    api_groups: tuple[str, ...] = ("",)
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    resource_names: tuple[str, ...] = ()
    needed_for: str

    def as_manifest(self) -> dict[str, list[str]]:
        """As Kubernetes writes it."""
        rule = {"apiGroups": list(self.api_groups), "resources": list(self.resources), "verbs": list(self.verbs)}
        return {**rule, "resourceNames": list(self.resource_names)} if self.resource_names else rule


HOST_RULES: Final = (
    Rule(
        resources=("namespaces",),
        verbs=("create", "delete", "get", "patch"),
        needed_for="a namespace of its own for each virtual cluster",
    ),
    Rule(resources=("nodes",), verbs=("list",), needed_for="the host's capacity"),
    Rule(
        resources=("pods",),
        verbs=("list",),
        needed_for="how much of the capacity is asked for, by namespace; nothing of a pod is kept",
    ),
    Rule(
        api_groups=("apps",),
        resources=("deployments", "statefulsets"),
        verbs=("list",),
        needed_for="finding virtual clusters that somebody else made, so that they can be adopted",
    ),
    Rule(
        api_groups=("storage.k8s.io",),
        resources=("storageclasses",),
        verbs=("list",),
        needed_for="finding the default storage class",
    ),
    Rule(
        api_groups=("networking.k8s.io",),
        resources=("ingressclasses",),
        verbs=("list",),
        needed_for="showing the host's ingress classes inside virtual clusters",
    ),
    Rule(
        api_groups=("rbac.authorization.k8s.io",),
        resources=("rolebindings",),
        verbs=("create",),
        needed_for=f"giving itself {TENANT_ROLE} in each namespace that it made",
    ),
    Rule(
        api_groups=("rbac.authorization.k8s.io",),
        resources=("rolebindings",),
        verbs=("patch",),
        resource_names=(TENANT_ROLE,),
        needed_for="keeping that one binding as it should be, and no other",
    ),
    Rule(
        api_groups=("rbac.authorization.k8s.io",),
        resources=("clusterroles",),
        verbs=("bind", "get"),
        resource_names=(TENANT_ROLE,),
        needed_for="binding this one role and no other, and seeing whether it is complete",
    ),
)
"""Of the ClusterRole marina-host, which holds in the whole host cluster."""

TENANT_RULES: Final = (
    Rule(
        resources=("configmaps", "persistentvolumeclaims", "pods", "secrets", "services"),
        verbs=_ALL,
        needed_for="the release (helm keeps its state in secrets), synced objects, claims that a deletion leaves",
    ),
    Rule(
        resources=("pods/portforward",),
        verbs=_ALL,
        needed_for="reaching the virtual cluster's API, by get and create; the chart's Role grants the other verbs",
    ),
    Rule(
        resources=("pods/attach", "pods/exec"), verbs=_ALL, needed_for="the chart's Role grants it; Marina runs nothing"
    ),
    Rule(
        resources=("pods/ephemeralcontainers", "pods/status"),
        verbs=("patch", "update"),
        needed_for="the chart's Role grants it",
    ),
    Rule(
        resources=("endpoints",),
        verbs=_ALL,
        needed_for="the chart's Role grants it, to sync services without a selector",
    ),
    Rule(
        resources=("events", "pods/log"),
        verbs=_READ,
        needed_for="telling in the host's own words why something does not start",
    ),
    Rule(
        api_groups=("apps",),
        resources=("deployments", "statefulsets"),
        verbs=(*_APPLY, "list", "watch"),
        needed_for="the release's control plane",
    ),
    Rule(api_groups=("apps",), resources=("replicasets",), verbs=_READ, needed_for="the chart's Role grants it"),
    Rule(
        api_groups=("coordination.k8s.io",),
        resources=("leases",),
        verbs=_ALL,
        needed_for="the chart's Role grants it where the control plane has several replicas",
    ),
    Rule(
        api_groups=("networking.k8s.io",),
        resources=("ingresses",),
        verbs=_ALL,
        needed_for="the chart's Role grants it, to sync them",
    ),
    Rule(
        api_groups=("networking.k8s.io",),
        resources=("networkpolicies",),
        verbs=_ALL,
        needed_for="isolating the namespace from other tenants, and syncing those of the virtual cluster",
    ),
    Rule(
        api_groups=("policy",),
        resources=("poddisruptionbudgets",),
        verbs=_ALL,
        needed_for="the chart's Role grants it, to sync them",
    ),
    Rule(resources=("serviceaccounts",), verbs=_APPLY, needed_for="the release's two service accounts"),
    Rule(
        api_groups=("rbac.authorization.k8s.io",),
        resources=("rolebindings", "roles"),
        verbs=_APPLY,
        needed_for="the release's own Role and its binding",
    ),
    Rule(
        resources=("limitranges", "resourcequotas"),
        verbs=("create", "delete", "list", "patch"),
        needed_for="keeping each virtual cluster within its size",
    ),
)
"""Of marina-tenant, which holds in the namespaces of virtual clusters only."""

METRICS_RULES: Final = (
    Rule(
        api_groups=("metrics.k8s.io",),
        resources=("pods",),
        verbs=("list",),
        needed_for="telling by the CPU of its pods whether a virtual cluster is in use; it works without",
    ),
)
"""Of marina-tenant as well. A host that lacks them is as good: then CPU is no signal of use there."""

RENEWAL_RULES: Final = (
    Rule(
        resources=("serviceaccounts/token",),
        verbs=("create",),
        resource_names=(SERVICE_ACCOUNT,),
        needed_for="renewing its own token before that expires",
    ),
)
"""Of the Role marina-token in marina-system."""


def traffic_rules(metrics: IngressMetrics) -> tuple[Rule, ...]:
    """Of the Role marina-traffic in the namespace of a host's ingress controller, where its counters are to be read."""
    return (
        Rule(
            resources=("services/proxy",),
            verbs=("get",),
            resource_names=(metrics.service_port,),
            needed_for="reading how many requests came for each virtual cluster, from this one port",
        ),
        Rule(
            resources=("endpoints",),
            verbs=("get",),
            resource_names=(metrics.service_name,),
            needed_for="knowing how many pods count them, so that none is left out",
        ),
    )


def namespace_rules(namespace: str) -> tuple[Rule, ...]:
    """Of the Role marina-namespace. RBAC counts a namespace among what is in it, so it takes no ClusterRole."""
    needed_for = "labelling this one namespace: whose it is, and which pods it may run"
    return (
        Rule(resources=("namespaces",), verbs=("get", "patch"), resource_names=(namespace,), needed_for=needed_for),
    )
