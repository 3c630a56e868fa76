"""Copies of what is not a pod: services, claims, ingresses, network policies and disruption budgets.

One direction only, each kind where `sync.toHost.KIND.enabled` says so. As with pods, the host's RBAC and quota decide,
and a refusal is a SyncError event in the virtual cluster.
"""

import asyncio
import copy
from collections.abc import Callable
from dataclasses import dataclass

from localkube.api import ApiError, KubeApi, Object
from localkube.virtual.events import SyncErrors
from localkube.virtual.release import Release
from localkube.virtual.settling import Key, Settling
from localkube.virtual.translate import (
    MANAGED_BY,
    OBJECT_NAME,
    OBJECT_NAMESPACE,
    VIRTUAL_NAMESPACE,
    host_metadata,
    host_name,
)


@dataclass(frozen=True)
class Kind:
    """One kind that is copied, and how its spec reads on the host."""

    name: str
    api: str
    plural: str
    value: str
    """Its key below sync.toHost."""
    translate: Callable[[Object, Release, str], Object]
    """From the virtual spec, the release and the virtual namespace."""
    reported: tuple[str, ...] = ()
    """What of the copy's status is told to the original."""

    def path(self, namespace: str = "") -> str:
        root = f"/api/{self.api}" if self.api == "v1" else f"/apis/{self.api}"
        return f"{root}/namespaces/{namespace}/{self.plural}" if namespace else f"{root}/{self.plural}"


class ObjectSyncer:
    """One kind of one virtual cluster. Runs until cancelled."""

    def __init__(self, kind: Kind, release: Release, virtual: KubeApi, host: KubeApi) -> None:
        self._kind = kind
        self._release = release
        self._virtual = virtual
        self._host = host
        self._objects: dict[Key, Object] = {}
        self._copies: dict[str, Object] = {}
        self._errors = SyncErrors(virtual)
        self._listed = (asyncio.Event(), asyncio.Event())
        self._tasks = asyncio.TaskGroup()
        self._settling = Settling(self._tasks, self._reconcile, *self._listed)

    async def run(self) -> None:
        path = self._kind.path(self._release.namespace)
        mine = f"{MANAGED_BY}={self._release.name}"
        async with self._tasks as tasks:
            tasks.create_task(self._virtual.follow(self._kind.path(), self._virtual_changed, listed=self._listed[0]))
            tasks.create_task(self._host.follow(path, self._copy_changed, labels=mine, listed=self._listed[1]))

    def _virtual_changed(self, kind: str, found: Object) -> None:
        key = found["metadata"]["namespace"], found["metadata"]["name"]
        if key == ("default", "kubernetes"):  # the way to the API itself, in every cluster
            return
        if kind == "DELETED":
            self._objects.pop(key, None)
        else:
            self._objects[key] = found
        self._settling.look_at(key)

    def _copy_changed(self, kind: str, found: Object) -> None:
        metadata = found["metadata"]
        if kind == "DELETED":
            self._copies.pop(metadata["name"], None)
        else:
            self._copies[metadata["name"]] = found
        annotations = metadata.get("annotations", {})
        self._settling.look_at((annotations.get(OBJECT_NAMESPACE, ""), annotations.get(OBJECT_NAME, "")))

    async def _reconcile(self, key: Key) -> None:
        name = host_name(self._release.name, *key)
        path = f"{self._kind.path(self._release.namespace)}/{name}"
        wanted = self._objects.get(key)
        if wanted is None or "deletionTimestamp" in wanted["metadata"]:
            if name in self._copies:
                await self._host.delete(path)
            return
        try:
            copied = await self._host.apply(path, self._copy_of(wanted, key[0]))
        except ApiError as error:
            await self._errors.record(wanted, self._kind.name, error.message)
            raise
        await self._report_back(wanted, copied)

    async def _report_back(self, original: Object, copied: Object) -> None:
        status = {key: copied["status"][key] for key in self._kind.reported if key in copied.get("status", {})}
        if any(original.get("status", {}).get(key) != value for key, value in status.items()):
            metadata = original["metadata"]
            path = f"{self._kind.path(metadata['namespace'])}/{metadata['name']}/status"
            await self._virtual.patch(path, {"metadata": {"uid": metadata["uid"]}, "status": status})

    def _copy_of(self, found: Object, namespace: str) -> Object:
        spec = self._kind.translate(copy.deepcopy(found["spec"]), self._release, namespace)
        metadata = host_metadata(found, self._release)
        return {"apiVersion": self._kind.api, "kind": self._kind.name, "metadata": metadata, "spec": spec}


def _service(spec: Object, release: Release, namespace: str) -> Object:
    for key in ("clusterIP", "clusterIPs", "healthCheckNodePort", "ipFamilies", "ipFamilyPolicy"):
        if spec.get(key) != "None":  # the host gives its own; headless stays headless
            spec.pop(key, None)
    for port in spec.get("ports", []):
        port.pop("nodePort", None)
    if spec.get("selector"):
        spec["selector"] = _selecting(spec["selector"], release, namespace)
    return spec


def _claim(spec: Object, release: Release, namespace: str) -> Object:
    return {key: value for key, value in spec.items() if key not in ("volumeName", "dataSource", "dataSourceRef")}


def _ingress(spec: Object, release: Release, namespace: str) -> Object:
    rules = [path for rule in spec.get("rules", []) for path in rule.get("http", {}).get("paths", [])]
    backends = [path["backend"] for path in rules] + [spec.get("defaultBackend", {})]
    for backend in backends:
        if "service" in backend:
            backend["service"]["name"] = host_name(release.name, namespace, backend["service"]["name"])
    for tls in spec.get("tls", []):
        if "secretName" in tls:
            tls["secretName"] = host_name(release.name, namespace, tls["secretName"])
    return spec


def _network_policy(spec: Object, release: Release, namespace: str) -> Object:
    """Peers in other namespaces of the virtual cluster are those with their label, for all are in one on the host."""
    _narrow(spec["podSelector"], release, namespace)
    for rule in [*spec.get("ingress", []), *spec.get("egress", [])]:
        for peer in [*rule.get("from", []), *rule.get("to", [])]:
            elsewhere = peer.pop("namespaceSelector", None)
            if elsewhere is not None:
                name = elsewhere.get("matchLabels", {}).get("kubernetes.io/metadata.name")
                _narrow(peer.setdefault("podSelector", {}), release, name)
            elif "podSelector" in peer:
                _narrow(peer["podSelector"], release, namespace)
    return spec


def _disruption_budget(spec: Object, release: Release, namespace: str) -> Object:
    _narrow(spec.setdefault("selector", {}), release, namespace)
    return spec


def _narrow(selector: Object, release: Release, namespace: str | None) -> None:
    selector["matchLabels"] = _selecting(selector.get("matchLabels", {}), release, namespace)


def _selecting(labels: Object, release: Release, namespace: str | None) -> Object:
    own = {MANAGED_BY: release.name} | ({VIRTUAL_NAMESPACE: namespace} if namespace else {})
    return {**labels, **own}


_CLAIMED = ("phase", "accessModes", "capacity")

KINDS = (
    Kind("Service", "v1", "services", "services", _service),
    Kind("PersistentVolumeClaim", "v1", "persistentvolumeclaims", "persistentVolumeClaims", _claim, _CLAIMED),
    Kind("Ingress", "networking.k8s.io/v1", "ingresses", "ingresses", _ingress, ("loadBalancer",)),
    Kind("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies", "networkPolicies", _network_policy),
    Kind("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets", "podDisruptionBudgets", _disruption_budget),
)
