"""In which order objects are made again: by phases, and within them owners before what they own."""

import heapq
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Final

from provisioning.drivers.kinds import Json
from provisioning.exports.digests import is_custom, title_of
from provisioning.exports.identity import ObjectId, id_of, owners_of
from provisioning.exports.left_out import is_token


class Phase(IntEnum):
    """What comes first; its value is the order. An object is made in a later one where what it leans on is."""

    KINDS = 0
    NAMESPACES = 1
    CLASSES = 2
    RIGHTS = 3
    CONFIGURATION = 4
    ACCOUNTS = 5
    CLAIMS = 6
    SERVICES = 7
    WORKLOADS = 8
    CUSTOM_RESOURCES = 9
    LIMITS = 10
    APIS = 11
    WEBHOOKS = 12


CRD: Final = "CustomResourceDefinition.apiextensions.k8s.io"
NAMESPACE: Final = "Namespace"

_PHASES: Final[Mapping[str, Phase]] = {
    CRD: Phase.KINDS,
    NAMESPACE: Phase.NAMESPACES,
    "PriorityClass.scheduling.k8s.io": Phase.CLASSES,
    "StorageClass.storage.k8s.io": Phase.CLASSES,
    "VolumeAttributesClass.storage.k8s.io": Phase.CLASSES,
    "CSIDriver.storage.k8s.io": Phase.CLASSES,
    "RuntimeClass.node.k8s.io": Phase.CLASSES,
    "IngressClass.networking.k8s.io": Phase.CLASSES,
    "DeviceClass.resource.k8s.io": Phase.CLASSES,
    "ClusterRole.rbac.authorization.k8s.io": Phase.RIGHTS,
    "ClusterRoleBinding.rbac.authorization.k8s.io": Phase.RIGHTS,
    "Role.rbac.authorization.k8s.io": Phase.RIGHTS,
    "RoleBinding.rbac.authorization.k8s.io": Phase.RIGHTS,
    "ConfigMap": Phase.CONFIGURATION,
    "Secret": Phase.CONFIGURATION,
    "LimitRange": Phase.CONFIGURATION,
    "NetworkPolicy.networking.k8s.io": Phase.CONFIGURATION,
    "ServiceAccount": Phase.ACCOUNTS,
    "PersistentVolume": Phase.CLAIMS,
    "PersistentVolumeClaim": Phase.CLAIMS,
    "Service": Phase.SERVICES,
    "Endpoints": Phase.SERVICES,
    "EndpointSlice.discovery.k8s.io": Phase.SERVICES,
    # a quota refuses everything until its controller has counted for the first time
    "ResourceQuota": Phase.LIMITS,
    "ValidatingAdmissionPolicy.admissionregistration.k8s.io": Phase.LIMITS,
    "ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io": Phase.LIMITS,
    "MutatingAdmissionPolicy.admissionregistration.k8s.io": Phase.LIMITS,
    "MutatingAdmissionPolicyBinding.admissionregistration.k8s.io": Phase.LIMITS,
    "APIService.apiregistration.k8s.io": Phase.APIS,
    # what they call has to be at work first, or they refuse what is restored
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io": Phase.WEBHOOKS,
    "MutatingWebhookConfiguration.admissionregistration.k8s.io": Phase.WEBHOOKS,
}


def phase_of(obj: Json) -> Phase:
    """When objects of its kind are made. Secrets for tokens come after the accounts: they are deleted without them."""
    if is_token(obj):
        return Phase.CLAIMS
    return _PHASES.get(title_of(obj), Phase.CUSTOM_RESOURCES if is_custom(obj) else Phase.WORKLOADS)


def ordered(objects: Sequence[Json]) -> list[Json]:
    """All of them, each once, so that each comes after what it leans on: its kind, its namespace, its owners.

    The order depends on the objects alone, not on how they were sorted. Owners in a ring come as their phase has it.
    """
    by_id = {id_of(obj): obj for obj in objects}
    definitions = {kind: id_of(obj) for kind, obj in definitions_by_kind(objects).items()}
    waiting = {key: _leans_on(key, obj, by_id, definitions) for key, obj in by_id.items()}
    frees: dict[ObjectId, list[ObjectId]] = defaultdict(list)
    for key, needs in waiting.items():
        for need in needs:
            frees[need].append(key)
    free = [_rank(by_id[key]) for key, needs in waiting.items() if not needs]
    heapq.heapify(free)
    done: list[Json] = []
    while waiting:
        # of a ring one has to be first
        _, key = heapq.heappop(free) if free else min(_rank(by_id[key]) for key in waiting)
        if waiting.pop(key, None) is None:
            continue
        done.append(by_id[key])
        for following in frees[key]:
            needs = waiting.get(following, set())
            needs.discard(key)
            if following in waiting and not needs:
                heapq.heappush(free, _rank(by_id[following]))
    return done


def _rank(obj: Json) -> tuple[Phase, ObjectId]:
    return phase_of(obj), id_of(obj)


def _leans_on(
    key: ObjectId, obj: Json, by_id: Mapping[ObjectId, Json], definitions: Mapping[tuple[str, str], ObjectId]
) -> set[ObjectId]:
    wanted = [found_in(by_id, owner) for owner in owners_of(obj)]
    if key.namespace:
        wanted.append(found_in(by_id, ObjectId("", NAMESPACE, "", key.namespace)))
    wanted.append(definitions.get((key.group, key.kind)))
    return {each for each in wanted if each is not None and each != key}


def found_in(known: Container[ObjectId], owner: ObjectId) -> ObjectId | None:
    """An owner as it is known: it is in the same namespace, or of a kind that lives in none."""
    return next((key for key in (owner, owner._replace(namespace="")) if key in known), None)


def definitions_by_kind(objects: Iterable[Json]) -> dict[tuple[str, str], Json]:
    """The CustomResourceDefinitions among them, by the group and kind that they define."""
    found = [obj for obj in objects if title_of(obj) == CRD]
    return {(obj["spec"]["group"], obj["spec"]["names"]["kind"]): obj for obj in found}
