"""When two objects count as the same one: one digest, less what one table leaves out.

The same table says what of an exported object is not sent when it is made again.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from provisioning.drivers.kinds import Json
from provisioning.exports.paths import ANY, ANYWHERE, Path, leaves, path_remove

BUILT_IN_GROUPS: Final = frozenset(
    {
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "extensions",
        "flowcontrol.apiserver.k8s.io",
        "internal.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
        "storagemigration.k8s.io",
    }
)
"""API groups of Kubernetes itself; the kinds of all others come with CustomResourceDefinitions or other servers."""

EVERY: Final = "*"
BUILT_IN: Final = "built-in kinds"
CUSTOM: Final = "custom resources"


@dataclass(frozen=True)
class LeftOut:
    """One field of which the digest knows nothing.

    `kind`: as `title_of` writes it, or one of EVERY, BUILT_IN, CUSTOM. `beside`: only where these keys stand beside it.
    `only`: with these values only; `unless`: with all but these. `sent`: it is sent when the object is made again.
    """

    kind: str
    path: Path
    reason: str
    beside: tuple[str, ...] = ()
    only: tuple[Any, ...] = ()
    unless: tuple[Any, ...] = ()
    sent: bool = False

    def wanted(self, holder: Mapping[str, Any], value: Any) -> bool:
        """Whether this value is one that it means, given the mapping that holds it."""
        if self.only and value not in self.only:
            return False
        return value not in self.unless and all(key in holder for key in self.beside)


_SERVER = "the API server writes it"
_INJECTED = "written by whoever rotates the certificate (cert-manager, or the operator itself)"
_BOUND = "written when the claim is bound, which happens anew"
_JOB = "the Job controller writes it from the Job's own uid"
_DEFAULTED = "a newer Kubernetes fills it in, and an older one does not know it"
_REQUESTER = "the API server writes who asked"
_JOB_UIDS = ("controller-uid", "batch.kubernetes.io/controller-uid")
_ENDPOINTS_TOLD = "endpoints.kubernetes.io/last-change-trigger-time"


def _meta(*names: str) -> tuple[LeftOut, ...]:
    return tuple(LeftOut(EVERY, ("metadata", name), _SERVER) for name in names)


def _annotations(kind: str, reason: str, *names: str) -> tuple[LeftOut, ...]:
    return tuple(LeftOut(kind, ("metadata", "annotations", name), reason) for name in names)


def _job_uids(*holder: str) -> tuple[LeftOut, ...]:
    return tuple(LeftOut("Job.batch", (*holder, name), _JOB) for name in _JOB_UIDS)


DIGEST_LEAVES_OUT: Final[tuple[LeftOut, ...]] = (
    *_meta("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"),
    LeftOut(EVERY, (ANYWHERE, "uid"), "a reference: compared by kind and name", beside=("kind", "name"), sent=True),
    LeftOut(BUILT_IN, ("status",), "Kubernetes finds it out anew"),
    LeftOut(CUSTOM, ("status", "observedGeneration"), "generations begin anew", sent=True),
    LeftOut(CUSTOM, ("status", "conditions", ANY, "observedGeneration"), "generations begin anew", sent=True),
    # core
    LeftOut("Namespace", ("spec", "finalizers"), _SERVER),
    LeftOut("Service", ("spec", "clusterIP"), "each cluster gives its own", unless=("None",)),
    LeftOut("Service", ("spec", "clusterIPs"), "each cluster gives its own", unless=(["None"],)),
    LeftOut("Service", ("spec", "ports", ANY, "nodePort"), "each cluster gives its own"),
    LeftOut("Service", ("spec", "healthCheckNodePort"), "each cluster gives its own"),
    LeftOut("Service", ("spec", "internalTrafficPolicy"), _DEFAULTED, only=("Cluster",), sent=True),
    LeftOut("ServiceAccount", ("secrets",), "names secrets with tokens, which are made anew"),
    LeftOut("Pod", ("spec", "nodeName"), "the scheduler chooses"),
    LeftOut("Pod", ("spec", "ephemeralContainers"), "for debugging; a pod cannot be made with them"),
    LeftOut("PersistentVolumeClaim", ("spec", "volumeName"), _BOUND),
    *_annotations(
        "PersistentVolumeClaim",
        _BOUND,
        "pv.kubernetes.io/bind-completed",
        "pv.kubernetes.io/bound-by-controller",
        "volume.beta.kubernetes.io/storage-provisioner",
        "volume.kubernetes.io/storage-provisioner",
        "volume.kubernetes.io/selected-node",
    ),
    LeftOut("PersistentVolume", ("spec", "claimRef", "resourceVersion"), _BOUND),
    *_annotations("PersistentVolume", _BOUND, "pv.kubernetes.io/bound-by-controller"),
    *_annotations("Endpoints", "when they changed last", _ENDPOINTS_TOLD),
    *_annotations("EndpointSlice.discovery.k8s.io", "when they changed last", _ENDPOINTS_TOLD),
    # workloads
    *_annotations("Deployment.apps", "counts revisions, which begin anew", "deployment.kubernetes.io/revision"),
    *_annotations("DaemonSet.apps", _SERVER, "deprecated.daemonset.template.generation"),
    LeftOut(
        "StatefulSet.apps",
        ("spec", "persistentVolumeClaimRetentionPolicy"),
        _DEFAULTED,
        only=({"whenDeleted": "Retain", "whenScaled": "Retain"},),
        sent=True,
    ),
    *_job_uids("metadata", "labels"),
    *_job_uids("spec", "selector", "matchLabels"),
    *_job_uids("spec", "template", "metadata", "labels"),
    LeftOut("Job.batch", ("spec", "podReplacementPolicy"), _DEFAULTED, only=("TerminatingOrFailed",), sent=True),
    # rights, and who is asked before anything is written
    LeftOut(
        "ClusterRole.rbac.authorization.k8s.io",
        ("rules",),
        "collected from other roles by Kubernetes",
        beside=("aggregationRule",),
    ),
    *(
        LeftOut("CertificateSigningRequest.certificates.k8s.io", ("spec", name), _REQUESTER)
        for name in ("username", "uid", "groups", "extra")
    ),
    *(
        LeftOut(
            f"{which}WebhookConfiguration.admissionregistration.k8s.io",
            ("webhooks", ANY, "clientConfig", "caBundle"),
            _INJECTED,
            sent=True,
        )
        for which in ("Validating", "Mutating")
    ),
    LeftOut(
        "CustomResourceDefinition.apiextensions.k8s.io",
        ("spec", "conversion", "webhook", "clientConfig", "caBundle"),
        _INJECTED,
        sent=True,
    ),
    LeftOut("APIService.apiregistration.k8s.io", ("spec", "caBundle"), _INJECTED, sent=True),
)
"""What may differ between an object and the same one made anew. Everything else is told."""


def group_of(obj: Json) -> str:
    """The API group; "" for the core one."""
    return str(obj.get("apiVersion", "")).rpartition("/")[0]


def title_of(obj: Json) -> str:
    """Its kind as kubectl writes it, such as Deployment.apps; without a group for the core one."""
    group = group_of(obj)
    return f"{obj.get('kind', '')}.{group}" if group else str(obj.get("kind", ""))


def is_custom(obj: Json) -> bool:
    """Whether its kind is none of Kubernetes' own."""
    return group_of(obj) not in BUILT_IN_GROUPS


def object_key(obj: Json) -> str:
    """APIVERSION/KIND/NAMESPACE/NAME, as manifests name objects."""
    meta = obj["metadata"]
    return f"{obj['apiVersion']}/{obj['kind']}/{meta.get('namespace', '')}/{meta['name']}"


def object_digest(obj: Json) -> str:
    """SHA-256 of what counts of an object, in hexadecimal digits. The object is left as it is."""
    text = json.dumps(digested(obj), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def digested(obj: Json) -> Json:
    """A copy of the object less what the table leaves out."""
    return _without(obj, sent_too=True)


def sendable(obj: Json) -> Json:
    """A copy of the object as it can be made again: less what a server writes by itself."""
    return _without(obj, sent_too=False)


def differing_paths(one: Json, other: Json) -> list[str]:
    """Which of the fields that count differ; sorted."""
    before, after = (dict(leaves(digested(each))) for each in (one, other))
    absent = object()
    return [
        path for path in sorted(before.keys() | after.keys()) if before.get(path, absent) != after.get(path, absent)
    ]


def rules_of(obj: Json) -> tuple[LeftOut, ...]:
    """What the table says of objects of this kind."""
    return _rules(title_of(obj), is_custom(obj))


@cache
def _rules(title: str, custom: bool) -> tuple[LeftOut, ...]:
    meant = (EVERY, CUSTOM if custom else BUILT_IN, title)
    return tuple(rule for rule in DIGEST_LEAVES_OUT if rule.kind in meant)


def _without(obj: Json, *, sent_too: bool) -> Json:
    copy: Json = json.loads(json.dumps(obj))
    for rule in rules_of(obj):
        if sent_too or not rule.sent:
            path_remove(copy, rule.path, rule.wanted)
    return copy
