"""Who may set which value of vcluster's chart, as data.

Users get an allow-list: what is not on it is kept to staff, also in chart versions to come. Whoever holds a virtual
cluster is its cluster-admin, so what stays inside it needs no guarding; what counts is that nothing reaches the host
beyond the cluster's own namespace, nor the guardrails that Marina puts on that namespace.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class KeyRule:
    """A key (and all below it), and why it is not for users or not for anybody."""

    path: str
    reason: str

    @property
    def parts(self) -> tuple[str, ...]:
        """The path's keys."""
        return tuple(self.path.split("."))


USER_KEYS: Final = (
    "controlPlane.coredns",
    "controlPlane.proxy.extraSANs",
    "controlPlane.statefulSet.persistence.volumeClaim.size",
    "controlPlane.statefulSet.persistence.volumeClaim.storageClass",
    "networking.advanced.clusterDomain",
    "policies.podSecurityStandard",
    "sync.fromHost.events.enabled",
    "sync.toHost.configMaps.all",
    "sync.toHost.configMaps.enabled",
    "sync.toHost.endpoints.enabled",
    "sync.toHost.ingresses.enabled",
    "sync.toHost.networkPolicies.enabled",
    "sync.toHost.persistentVolumeClaims.enabled",
    "sync.toHost.podDisruptionBudgets.enabled",
    "sync.toHost.pods.enabled",
    "sync.toHost.pods.enforceTolerations",
    "sync.toHost.pods.rewriteHosts.enabled",
    "sync.toHost.pods.translateImage",
    "sync.toHost.pods.useSecretsForSATokens",
    "sync.toHost.secrets.all",
    "sync.toHost.secrets.enabled",
    "sync.toHost.services.enabled",
)
"""What every user may set: each of these (and all below it) acts inside the cluster or in its own namespace."""

_CLUSTER_ROLE = "It would need a ClusterRole on the host, and Marina holds no right to make one."

STAFF_KEYS: Final = (
    KeyRule("controlPlane.advanced", "It changes accounts, images or metadata of what runs on the host."),
    KeyRule("controlPlane.advanced.defaultImageRegistry", "It decides which program runs on the host."),
    KeyRule(
        "controlPlane.advanced.serviceAccount",
        "The account decides what the control plane may do on the host, and in many clouds beyond it.",
    ),
    KeyRule(
        "controlPlane.advanced.workloadServiceAccount",
        "The account decides what workloads may do on the host, and in many clouds beyond it.",
    ),
    KeyRule("controlPlane.advanced.virtualScheduler", _CLUSTER_ROLE),
    KeyRule(
        "controlPlane.backingStore", "It runs or reaches a database beside the control plane, and cannot be changed."
    ),
    KeyRule("controlPlane.distro", "It decides which program runs on the host, and with which rights."),
    KeyRule("controlPlane.hostPathMapper", "It mounts folders of the host's nodes."),
    KeyRule("controlPlane.ingress", "It claims a host name at the host's ingress controller."),
    KeyRule("controlPlane.service", "It decides how the API is published; that is what the exposure is for."),
    KeyRule("controlPlane.serviceMonitor", "It adds itself to the monitoring of the host."),
    KeyRule("controlPlane.standalone", "It runs the control plane outside of Kubernetes."),
    KeyRule("controlPlane.statefulSet", "It changes how the control plane runs on the host."),
    KeyRule("controlPlane.statefulSet.image", "It decides which program runs on the host."),
    KeyRule("controlPlane.statefulSet.scheduling", "It decides on which nodes of the host the control plane runs."),
    KeyRule(
        "controlPlane.statefulSet.security", "It decides with which rights the control plane runs on the host's node."
    ),
    KeyRule("deploy", "It installs further software."),
    KeyRule("experimental", "Upstream promises nothing about it, and some of it writes to the host."),
    KeyRule(
        "exportKubeConfig", "It changes where the syncer's own credential is kept, which Marina reads and nobody else."
    ),
    KeyRule("external", "It reaches services outside of the cluster."),
    KeyRule("global", "It reaches every part of the chart."),
    KeyRule("integrations", _CLUSTER_ROLE),
    KeyRule("networking", "It opens ways between the cluster and the host's other namespaces."),
    KeyRule("platform", "It connects the cluster to another platform."),
    KeyRule("plugin", "A plugin is a program that runs beside the control plane, with its rights."),
    KeyRule("plugins", "A plugin is a program that runs beside the control plane, with its rights."),
    KeyRule("policies", "Quota, limits and isolation of the namespace are Marina's: they follow from the size."),
    KeyRule("privateNodes", "It changes where the workloads run."),
    KeyRule("pro", "It needs a licence."),
    KeyRule("rbac", "It decides what the control plane may do on the host."),
    KeyRule("sync.fromHost", _CLUSTER_ROLE),
    KeyRule("sync.fromHost.configMaps", "It reads other namespaces of the host."),
    KeyRule("sync.fromHost.nodes", "It shows the host's nodes, and lets their labels be changed."),
    KeyRule("sync.fromHost.secrets", "It reads other namespaces of the host."),
    KeyRule("sync.toHost", "It writes objects to the host that Marina's guardrails do not cover."),
    KeyRule("sync.toHost.namespaces", "It makes namespaces on the host, outside of Marina's guardrails."),
    KeyRule("sync.toHost.persistentVolumes", _CLUSTER_ROLE),
    KeyRule("sync.toHost.pods", "It changes how pods run on the host."),
    KeyRule("sync.toHost.pods.hybridScheduling", _CLUSTER_ROLE),
    KeyRule("sync.toHost.pods.priorityClassName", "It sets the pods above those of other tenants."),
    KeyRule("sync.toHost.priorityClasses", _CLUSTER_ROLE),
    KeyRule("sync.toHost.serviceAccounts", "Annotations on accounts give rights in many clouds."),
    KeyRule("sync.toHost.storageClasses", _CLUSTER_ROLE),
    KeyRule("sync.toHost.volumeSnapshots", "It would need a right on the host that Marina does not hold."),
)
"""Why a key is kept to staff; the longest path that fits counts."""

STAFF_REASON: Final = "It has not been shown that it stays inside the cluster's own namespace."
"""For a key that stands in neither list."""

OWNED_KEYS: Final = (
    KeyRule("controlPlane.distro.k8s.image.tag", "Marina sets it from `spec.kubernetes_version`."),
    KeyRule("controlPlane.distro.k8s.version", "Marina sets the version from `spec.kubernetes_version`."),
    KeyRule("controlPlane.service.spec.type", "Marina sets it from `spec.exposure`."),
    KeyRule("controlPlane.statefulSet.highAvailability.replicas", "Marina sets it from `spec.control_plane.replicas`."),
    KeyRule("controlPlane.statefulSet.image.tag", "Marina sets it from `spec.chart_version`."),
    KeyRule("controlPlane.statefulSet.resources", "Marina sets them from `spec.size`."),
    KeyRule("sync.fromHost.ingressClasses", "Marina copies the host's ingress classes into the cluster by itself."),
    KeyRule("telemetry.enabled", "Marina's clusters send no telemetry."),
)
"""What Marina sets in any case, so that nobody's wish for it would be heard: not even staff may set it."""


@dataclass(frozen=True)
class SyncedKind:
    """A kind that can be synced to the host, and what it means where it is not."""

    key: str
    """Below `sync.toHost`."""
    kind: str
    default: bool
    """Whether the chart syncs it unless told otherwise."""
    reason: str


SYNCED_KINDS: Final = (
    SyncedKind("pods", "Pod", True, "Without them nothing runs."),
    SyncedKind("services", "Service", True, "Without them pods are not reached by name."),
    SyncedKind("endpoints", "Endpoints", True, "Services without a selector lead nowhere."),
    SyncedKind("configMaps", "ConfigMap", True, "Pods that use one do not start."),
    SyncedKind("secrets", "Secret", True, "Pods that use one do not start."),
    SyncedKind("persistentVolumeClaims", "PersistentVolumeClaim", True, "Pods that use one do not start."),
    SyncedKind("ingresses", "Ingress", False, "No ingress controller of the host serves them."),
    SyncedKind("networkPolicies", "NetworkPolicy", False, "They are stored but nothing enforces them."),
    SyncedKind(
        "podDisruptionBudgets", "PodDisruptionBudget", False, "The host does not heed them when it drains a node."
    ),
    SyncedKind("priorityClasses", "PriorityClass", False, "The host schedules all pods alike."),
    SyncedKind("serviceAccounts", "ServiceAccount", False, "Pods run on the host under one account for all."),
    SyncedKind("storageClasses", "StorageClass", False, "Only the host's own storage classes provide volumes."),
    SyncedKind("persistentVolumes", "PersistentVolume", False, "Volumes come from claims only."),
    SyncedKind("volumeSnapshots", "VolumeSnapshot", False, "No snapshot of a volume is made."),
)
