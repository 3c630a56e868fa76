"""What an export leaves out: one table. docs/exports.md is made from it; whatever it does not name is exported."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from provisioning.drivers.kinds import Json
from provisioning.steps.names import ACCESS_NAMESPACE, MANAGED_BY, MARINA

EVERY: Final = "*"
FIRST: Final = 20
"""So many of what a rule left out are named in the manifest."""

# What the API server and vcluster write by themselves (facts of upstream: field managers)
SERVER_MANAGERS: Final = frozenset({"kube-apiserver", "clusterrole-aggregation-controller", "vcluster"})
SYSTEM_MANAGERS: Final = SERVER_MANAGERS | {"kube-controller-manager", "kube-scheduler"}
SYSTEM_NAMESPACES: Final = frozenset({"kube-system", "kube-public", "kube-node-lease"})
_VERSION: Final = re.compile(r"-v?\d+(\.\d+)*$")
"""Behind a program's name, where its file bears one."""
_DNS: Final = frozenset({"coredns", "kube-dns"})

CONTROLLERS: Final = frozenset(
    [
        "attachdetach-controller",
        "bootstrap-signer",
        "certificate-controller",
        "clusterrole-aggregation-controller",
        "cronjob-controller",
        "daemon-set-controller",
        "deployment-controller",
        "device-taint-eviction-controller",
        "disruption-controller",
        "endpoint-controller",
        "endpointslice-controller",
        "endpointslicemirroring-controller",
        "ephemeral-volume-controller",
        "expand-controller",
        "generic-garbage-collector",
        "horizontal-pod-autoscaler",
        "job-controller",
        "kube-apiserver-serving-clustertrustbundle-publisher",
        "legacy-service-account-token-cleaner",
        "namespace-controller",
        "node-controller",
        "persistent-volume-binder",
        "pod-garbage-collector",
        "pod-certificate-request-cleaner",
        "pv-protection-controller",
        "pvc-protection-controller",
        "replicaset-controller",
        "replication-controller",
        "resource-claim-controller",
        "resourcequota-controller",
        "root-ca-cert-publisher",
        "route-controller",
        "selinux-warning-controller",
        "service-account-controller",
        "service-cidrs-controller",
        "service-controller",
        "statefulset-controller",
        "storage-version-garbage-collector",
        "storage-version-migrator-controller",
        "taint-eviction-controller",
        "token-cleaner",
        "ttl-after-finished-controller",
        "ttl-controller",
        "validatingadmissionpolicy-status-controller",
        "volumeattributesclass-protection-controller",
    ]
)
"""As whom kube-controller-manager acts; the accounts have no fields that would tell who made them."""

Applies = Callable[[Json], bool]


@dataclass(frozen=True)
class Rule:
    """One line of the table. `kinds` as KIND or KIND.GROUP; a rule of whole kinds is not `read` at all."""

    kinds: tuple[str, ...]
    rule: str
    reason: str
    applies: Applies = lambda _: True
    read: bool = True


OF_TOKENS: Final = "kubernetes.io/service-account-token"
"""The type of Secrets with tokens of ServiceAccounts."""


def is_token(found: Json) -> bool:
    """Whether it is a Secret with a token of a ServiceAccount."""
    return found.get("kind") == "Secret" and found.get("apiVersion") == "v1" and found.get("type") == OF_TOKENS


def by_system(manager: str) -> bool:
    """Whether it is Kubernetes or vcluster that writes by this name."""
    return _VERSION.sub("", manager) in SYSTEM_MANAGERS


def _meta(found: Json) -> Json:
    meta: Json = found.get("metadata") or {}
    return meta


def _named(found: Json, *names: str) -> bool:
    return _meta(found).get("name") in names


def _labels(found: Json) -> Json:
    return _meta(found).get("labels") or {}


def _annotations(found: Json) -> Json:
    return _meta(found).get("annotations") or {}


def _managers(found: Json) -> set[str]:
    entries = _meta(found).get("managedFields") or []
    return {_VERSION.sub("", str(entry.get("manager"))) for entry in entries}


def _only_by(managers: frozenset[str]) -> Applies:
    """Nobody else wrote to it. One whose writers are not known was not."""
    return lambda found: bool(_managers(found)) and _managers(found) <= managers


def _untouched(found: Json) -> bool:
    """Of what the system is known to make, by its name: one without fields of its own has no writers."""
    return _managers(found) <= SYSTEM_MANAGERS


def _controller(found: Json) -> Json | None:
    owners = _meta(found).get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), None)


def _has_controller(found: Json) -> bool:
    return _controller(found) is not None


def _finished_of_cron_job(found: Json) -> bool:
    conditions = (found.get("status") or {}).get("conditions") or []
    over = any(each.get("type") in ("Complete", "Failed") and each.get("status") == "True" for each in conditions)
    return over and (_controller(found) or {}).get("kind") == "CronJob"


def _mirrors_a_service(found: Json) -> bool:
    managed = {"endpoints.kubernetes.io/managed-by", "endpointslice.kubernetes.io/managed-by"} & _labels(found).keys()
    by_controller = {_labels(found)[label].split(".")[0] for label in managed} & {
        *("endpoint-controller", "endpointslice-controller", "endpointslicemirroring-controller"),
    }
    return bool(by_controller) or "endpoints.kubernetes.io/last-change-trigger-time" in _annotations(found)


def _provisioned(found: Json) -> bool:
    return "pv.kubernetes.io/provisioned-by" in _annotations(found) or "vcluster.loft.sh/fake-pv" in _labels(found)


def _marinas_own(found: Json) -> bool:
    return _labels(found).get(MANAGED_BY) == MARINA


RULES: Final = (
    Rule(
        ("Event", "Event.events.k8s.io"),
        "all",
        "They tell what happened, and are forgotten after an hour anyway.",
        read=False,
    ),
    Rule(
        ("Lease.coordination.k8s.io", "LeaseCandidate.coordination.k8s.io"),
        "all",
        "They say who holds something at this moment; the next holder takes them anew.",
        read=False,
    ),
    Rule(
        ("Node", "CSINode.storage.k8s.io", "VolumeAttachment.storage.k8s.io", "CSIStorageCapacity.storage.k8s.io"),
        "all",
        "They describe the machines underneath, which are others after a restore.",
        read=False,
    ),
    Rule(
        ("ResourceSlice.resource.k8s.io",),
        "all",
        "Drivers publish in them the devices of the machines underneath.",
        read=False,
    ),
    Rule(
        ("CertificateSigningRequest.certificates.k8s.io", "PodCertificateRequest.certificates.k8s.io"),
        "all",
        "This cluster's own authority signs them, within the day or never.",
        read=False,
    ),
    Rule(
        ("IPAddress.networking.k8s.io", "StorageVersion.internal.apiserver.k8s.io"),
        "all",
        "The API server keeps its own books in them.",
        read=False,
    ),
    Rule((EVERY,), "being deleted", "Somebody wanted it gone.", lambda found: "deletionTimestamp" in _meta(found)),
    Rule(
        ("Namespace",),
        f"{ACCESS_NAMESPACE}",
        "Marina gives access to people there, and makes it again.",
        lambda found: _named(found, ACCESS_NAMESPACE),
    ),
    Rule(
        (EVERY,),
        f"in the namespace {ACCESS_NAMESPACE}",
        "Accounts and tokens of people, which end with this cluster.",
        lambda found: _meta(found).get("namespace") == ACCESS_NAMESPACE,
    ),
    Rule(
        ("ClusterRoleBinding.rbac.authorization.k8s.io",),
        f"marina:*, labelled {MANAGED_BY}={MARINA}",
        "Access that Marina gave by a role; roles are asked again after a restore.",
        lambda found: _marinas_own(found) and str(_meta(found).get("name")).startswith("marina:"),
    ),
    Rule(
        ("IngressClass.networking.k8s.io",),
        f"labelled {MANAGED_BY}={MARINA}",
        "Marina copies the host's into each cluster.",
        _marinas_own,
    ),
    Rule(
        ("ConfigMap",),
        "kube-root-ca.crt",
        "The authority of this cluster's API server; each namespace gets the new one's.",
        lambda found: _named(found, "kube-root-ca.crt"),
    ),
    Rule(
        ("ServiceAccount",),
        "default, where nobody changed it",
        "Each namespace gets one by itself.",
        lambda found: _named(found, "default") and _untouched(found),
    ),
    Rule(
        ("ServiceAccount",),
        "of Kubernetes' own controllers in the namespace kube-system, where nobody changed them",
        "Kubernetes makes the account of each controller as it starts.",
        lambda found: (
            _meta(found).get("namespace") == "kube-system" and _named(found, *CONTROLLERS) and _untouched(found)
        ),
    ),
    Rule(
        ("ServiceCIDR.networking.k8s.io",),
        "kubernetes",
        "The addresses of services that this cluster's API server was started with.",
        lambda found: _named(found, "kubernetes"),
    ),
    Rule(
        ("Secret",),
        f"of type {OF_TOKENS}",
        "Such a token holds for one account of this very cluster, by its uid and its key.",
        is_token,
    ),
    Rule(
        ("Endpoints", "EndpointSlice.discovery.k8s.io"),
        "written by a controller for a Service",
        "The controller writes them again from the pods that are there then.",
        lambda found: _mirrors_a_service(found) or _only_by(SYSTEM_MANAGERS)(found),
    ),
    Rule(
        ("Service", "Endpoints", "EndpointSlice.discovery.k8s.io"),
        "kubernetes in the namespace default",
        "The address of the API server itself.",
        lambda found: _named(found, "kubernetes") and _meta(found).get("namespace") == "default",
    ),
    Rule(
        ("Pod",),
        "of a controller",
        "The controller makes them again. Pods without one are exported.",
        _has_controller,
    ),
    Rule(
        ("ReplicaSet.apps",),
        "of a controller",
        "The Deployment makes the one it needs; its history begins anew.",
        _has_controller,
    ),
    Rule(
        ("ControllerRevision.apps",),
        "of a controller",
        "The history of a StatefulSet or DaemonSet, which it begins anew.",
        _has_controller,
    ),
    Rule(
        ("Job.batch",),
        "of a CronJob, and finished",
        "It ran; the CronJob makes the next one at its time.",
        _finished_of_cron_job,
    ),
    Rule(
        ("ResourceClaim.resource.k8s.io",),
        "of a controller",
        "Made for one pod from its template, and made again with the pod.",
        _has_controller,
    ),
    Rule(
        ("PersistentVolume",),
        "provisioned for a claim",
        "The claim is exported, and gets a new, empty volume: what a volume holds is in no export.",
        _provisioned,
    ),
    Rule(
        ("PriorityClass.scheduling.k8s.io",),
        "system-*",
        "Kubernetes reserves these names and makes them itself.",
        lambda found: str(_meta(found).get("name")).startswith("system-"),
    ),
    Rule(
        ("FlowSchema.flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io"),
        "annotated apf.kubernetes.io/autoupdate-spec=true",
        "The API server keeps its own defaults in step with its version.",
        lambda found: _annotations(found).get("apf.kubernetes.io/autoupdate-spec") == "true",
    ),
    Rule(
        ("APIService.apiregistration.k8s.io",),
        "without a service of their own",
        "The API server registers what it serves itself, also each resource definition.",
        lambda found: not (found.get("spec") or {}).get("service"),
    ),
    Rule(
        tuple(
            f"{kind}.rbac.authorization.k8s.io" for kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
        ),
        "labelled kubernetes.io/bootstrapping=rbac-defaults, where nobody changed them",
        "Kubernetes makes its own roles at each start.",
        lambda found: _labels(found).get("kubernetes.io/bootstrapping") == "rbac-defaults" and _untouched(found),
    ),
    Rule(
        ("Deployment.apps", "ConfigMap", "Service", "ServiceAccount"),
        "coredns and kube-dns in the namespace kube-system",
        "This is the DNS of vcluster, which applies it anew at each start from the chart's values.",
        lambda found: _meta(found).get("namespace") == "kube-system" and _named(found, *_DNS),
    ),
    Rule(
        ("Namespace",),
        "default and kube-*, where nobody changed them",
        "Each cluster has them from its beginning.",
        lambda found: _named(found, "default", *SYSTEM_NAMESPACES) and _untouched(found),
    ),
    Rule(
        (EVERY,),
        "in a namespace kube-*, written by nobody but Kubernetes and vcluster",
        "Each cluster has its own from its beginning. What people put there is exported.",
        lambda found: _meta(found).get("namespace") in SYSTEM_NAMESPACES and _only_by(SYSTEM_MANAGERS)(found),
    ),
    Rule(
        (EVERY,),
        "written by nobody but the API server and vcluster's syncer",
        "They make it again, or copy it from the host again.",
        _only_by(SERVER_MANAGERS),
    ),
)

SILENT: Final = "API without an answer"
"""What stands in the place of a rule for versions that could not be read."""
SILENT_API: Final = "Its own API server, inside the cluster, did not answer; what it keeps is data of a workload."


def kind_name(api_version: str, kind: str) -> str:
    """KIND, or KIND.GROUP where the group is not the core one."""
    group = api_version.rpartition("/")[0]
    return f"{kind}.{group}" if group else kind


def rule_unread(api_version: str, kind: str) -> Rule | None:
    """The rule by which a kind is not even read."""
    name = kind_name(api_version, kind)
    return next((rule for rule in RULES if not rule.read and name in rule.kinds), None)


def rule_for(found: Json) -> Rule | None:
    """The first rule by which an object is left out; None where it is exported. It needs its managedFields."""
    names = (EVERY, kind_name(found["apiVersion"], found["kind"]))
    return next((rule for rule in RULES if any(name in rule.kinds for name in names) and rule.applies(found)), None)


@dataclass
class LeftOut:
    """Counts what was left out, by rule, and names the first."""

    _counts: dict[tuple[str, str], int] = field(default_factory=dict)
    _first: dict[tuple[str, str], list[Json]] = field(default_factory=dict)

    def add(self, rule: Rule, *, kind: str, name: str, namespace: str = "") -> None:
        """One object, or a kind that is not read (name *), which is not counted."""
        self._note((rule.rule, rule.reason), {"kind": kind, "namespace": namespace, "name": name}, counts=name != EVERY)

    def add_silent(self, versions: Iterable[str]) -> None:
        """Versions of groups that could not be read."""
        for version in versions:
            self._note((SILENT, SILENT_API), {"kind": version, "namespace": "", "name": EVERY}, counts=False)

    def _note(self, key: tuple[str, str], named: Json, *, counts: bool) -> None:
        self._counts[key] = self._counts.get(key, 0) + counts
        first = self._first.setdefault(key, [])
        if len(first) < FIRST:
            first.append(named)

    def as_json(self) -> list[dict[str, Any]]:
        """By reason, the most first. A count of 0 is of kinds that were not read."""
        return [
            {"rule": rule, "reason": reason, "count": count, "first": self._first[rule, reason]}
            for (rule, reason), count in sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        ]
