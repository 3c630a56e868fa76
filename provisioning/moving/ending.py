"""Ending objects where a cluster goes.

Only Kubernetes' own controllers see to finalizers there: nobody else is at work.
"""

from contextlib import suppress
from typing import Final

from provisioning.drivers.errors import NotFound
from provisioning.drivers.kinds import CUSTOM_RESOURCE_DEFINITION, Json, Kind
from provisioning.drivers.kube import FIELD_MANAGER, KubeClient
from provisioning.exports.discovery import served_versions, stored_version

KUBERNETES: Final = "kubernetes.io/"
"""What most finalizers of kube-controller-manager begin with, such as those that protect claims and volumes.

Others end in kubernetes.io too, and stand for programs that a virtual cluster does not have of itself: those of a
cloud's load balancers (service.kubernetes.io/load-balancer-cleanup), of CSI's attacher, provisioner and snapshots.
"""
OTHERS_OF_KUBERNETES: Final = frozenset(
    {
        "foregroundDeletion",
        "orphan",
        "customresourcecleanup.apiextensions.k8s.io",  # without it the objects of a definition would stay in the store
        "batch.kubernetes.io/job-tracking",
        "resource.kubernetes.io/delete-protection",
        "networking.k8s.io/service-cidr-finalizer",
    }
)


def finalizers_of(obj: Json) -> list[str]:
    """Of whom an object's end waits."""
    return list(obj["metadata"].get("finalizers") or [])


def finalizers_kept(obj: Json) -> list[str]:
    """Those of Kubernetes' own controllers, which are at work at the target; nobody else is there."""
    return [each for each in finalizers_of(obj) if each.startswith(KUBERNETES) or each in OTHERS_OF_KUBERNETES]


def finalizers_cut(target: KubeClient, kind: Kind, found: Json, kept: list[str]) -> None:
    """Leaves it these alone. ConflictError where somebody was faster."""
    if kept != finalizers_of(found):
        with suppress(NotFound):
            target.patch_as(kind, found, {"metadata": {"finalizers": kept}}, manager=FIELD_MANAGER)


def deleted(
    target: KubeClient, kind: Kind, obj: Json, *, keep_finalizers: bool = False, propagation: str = "Background"
) -> None:
    """At the source somebody saw to its finalizers already; at the target nobody is at work who would."""
    name, namespace = obj["metadata"]["name"], obj["metadata"].get("namespace")
    if kind == CUSTOM_RESOURCE_DEFINITION and not keep_finalizers:
        definition_let_go(target, obj)  # before: what is only ending by itself is not looked at again
    if not target.delete(kind, name, namespace, propagation=propagation) or keep_finalizers:
        return
    left = target.get(kind, name, namespace)
    if left is not None:
        finalizers_cut(target, kind, left, finalizers_kept(left))


def definition_let_go(target: KubeClient, definition: Json) -> None:
    """Objects of a resource definition keep it from ending no longer; the API server ends them with it."""
    kind = _kind_defined(definition)
    if kind is None:
        return
    try:
        found = target.list(kind, metadata_only=True)
    except NotFound:
        return  # it is not served any more, or was not yet
    for each in found:
        finalizers_cut(target, kind, each, finalizers_kept(each))


def _kind_defined(definition: Json) -> Kind | None:
    """In the version that is stored, which needs no converting; else in one that is served."""
    spec, stored = definition["spec"], stored_version(definition)
    served = sorted(served_versions(definition), key=lambda name: name != stored)
    if not served:
        return None
    names, namespaced = spec["names"], spec["scope"] == "Namespaced"
    return Kind(f"{spec['group']}/{served[0]}", names["kind"], names["plural"], namespaced=namespaced)
