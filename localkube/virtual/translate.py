"""How a virtual pod looks on the host: names, labels, and what of its spec is put differently there."""

import copy
import hashlib
from collections.abc import Iterator
from typing import Any

from localkube.api import Object
from localkube.virtual.release import Release

MANAGED_BY = "vcluster.loft.sh/managed-by"
VIRTUAL_NAMESPACE = "vcluster.loft.sh/namespace"
OBJECT_NAME = "vcluster.loft.sh/object-name"
OBJECT_NAMESPACE = "vcluster.loft.sh/object-namespace"
OBJECT_UID = "vcluster.loft.sh/object-uid"

# Set by the host's admission, or a matter of the host alone.
_NOT_COPIED = ("nodeName", "priority", "priorityClassName", "preemptionPolicy", "ephemeralContainers", "schedulerName")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied"
_LONGEST_NAME = 63


def host_name(release: str, namespace: str, name: str) -> str:
    """NAME-x-NAMESPACE-x-RELEASE; what does not fit into 63 characters ends in a digest of the whole."""
    full = f"{name}-x-{namespace}-x-{release}"
    if len(full) <= _LONGEST_NAME:
        return full
    digest = hashlib.sha256(full.encode()).hexdigest()[:10]
    return f"{full[:52].rstrip('-.')}-{digest}"


def host_pod(pod: Object, release: Release) -> Object:
    """The pod to create on the host.

    Security settings, host paths and host namespaces stay as the tenant wrote them: the host decides on them.
    """
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    spec = _host_spec(pod["spec"], namespace, name, release)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": host_metadata(pod, release), "spec": spec}


def host_metadata(found: Object, release: Release) -> Object:
    """Name, labels and owner of a copy, and in its annotations what it is a copy of."""
    metadata = found["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    names = {OBJECT_NAME: name, OBJECT_NAMESPACE: namespace, OBJECT_UID: metadata["uid"]}
    kept = {key: value for key, value in metadata.get("annotations", {}).items() if not key.startswith(_LAST_APPLIED)}
    return {
        "name": host_name(release.name, namespace, name),
        "labels": {**metadata.get("labels", {}), MANAGED_BY: release.name, VIRTUAL_NAMESPACE: namespace},
        "annotations": {**kept, **names},
        "ownerReferences": [release.owner()],
    }


def virtual_status(host: Object) -> Object:
    """The status that the virtual pod takes over from its copy."""
    status: Object = copy.deepcopy(host.get("status", {}))
    for key in ("qosClass", "observedGeneration", "resize", "nominatedNodeName"):  # each API server's own
        status.pop(key, None)
    for condition in status.get("conditions", []):
        condition.pop("observedGeneration", None)
    return status


def _host_spec(virtual: Object, namespace: str, name: str, release: Release) -> Object:
    spec: Object = {key: copy.deepcopy(value) for key, value in virtual.items() if key not in _NOT_COPIED}
    account = release.value("controlPlane", "advanced", "workloadServiceAccount", "name")
    spec["serviceAccountName"] = spec["serviceAccount"] = account or f"vc-workload-{release.name}"
    spec["automountServiceAccountToken"] = False  # a token of the host would be the wrong one
    spec["enableServiceLinks"] = False
    spec.setdefault("hostname", name[:_LONGEST_NAME].rstrip("-."))
    for volume in spec.get("volumes", []):
        _translate_volume(volume, namespace, release.name)
    for reference in _config_references(spec):
        reference["name"] = host_name(release.name, namespace, reference["name"])
    return spec


def _translate_volume(volume: Object, namespace: str, release: str) -> None:
    if "persistentVolumeClaim" in volume:
        claim = volume["persistentVolumeClaim"]
        claim["claimName"] = host_name(release, namespace, claim["claimName"])
    if "secret" in volume:
        volume["secret"]["secretName"] = host_name(release, namespace, volume["secret"]["secretName"])
    if "projected" in volume:
        # The token is the virtual cluster's; vcluster brings it in by an annotation, and here nobody reads it.
        sources = [source for source in volume["projected"].get("sources", []) if "serviceAccountToken" not in source]
        volume["projected"]["sources"] = sources


def _config_references(spec: Object) -> Iterator[Object]:
    """Every place in a pod's spec that names a ConfigMap or Secret by the key `name`."""
    yield from spec.get("imagePullSecrets", [])
    for volume in spec.get("volumes", []):
        yield from _present(volume, "configMap")
        for source in volume.get("projected", {}).get("sources", []):
            yield from _present(source, "configMap", "secret")
    for container in [*spec.get("initContainers", []), *spec.get("containers", [])]:
        for source in container.get("envFrom", []):
            yield from _present(source, "configMapRef", "secretRef")
        for variable in container.get("env", []):
            yield from _present(variable.get("valueFrom", {}), "configMapKeyRef", "secretKeyRef")


def _present(holder: dict[str, Any], *keys: str) -> Iterator[Object]:
    for key in keys:
        if "name" in holder.get(key, {}):
            yield holder[key]
