"""The controllers that Marina's flows lean on, done at the moment something changes.

Only the removal of a namespace takes a while, as everywhere: its content goes first, and somebody has to look again.
"""

import copy
import time
from collections.abc import Callable
from typing import Any

from provisioning.drivers.kinds import (
    CONFIG_MAP,
    NAMESPACE,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    Json,
)
from tests.fakes.store import Store, Stored

NAMESPACE_SECONDS = 0.05
"""Between the deletion of a namespace and its end, when nothing holds its content."""
FIRST_CONSUMER = "first-consumer"
"""A storage class whose binding waits for the first pod."""
SELECTED_NODE = "volume.kubernetes.io/selected-node"
"""The annotation by which the scheduler tells where that pod will run."""
MANAGER = "kube-controller-manager"


class Controllers:
    """Of one server. `settle` does what has become due; the server calls it before each request."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._due: list[tuple[float, Callable[[], None]]] = []
        store.watchers.append(self._changed)

    def settle(self) -> None:
        now = time.monotonic()
        ripe = [work for due, work in self._due if due <= now]
        self._due = [(due, work) for due, work in self._due if due > now]
        for work in ripe:
            work()

    def _later(self, work: Callable[[], None]) -> None:
        self._due.append((time.monotonic() + NAMESPACE_SECONDS, work))

    def _changed(self, what: str, stored: Stored) -> None:
        does: dict[Any, Callable[[str, Stored], None]] = {
            NAMESPACE: self._namespace,
            STATEFUL_SET: self._stateful_set,
            POD: self._pod,
            PERSISTENT_VOLUME_CLAIM: self._claim,
            SERVICE: self._service,
        }
        if act := does.get(stored.kind):
            act(what, stored)

    # Namespaces

    def _namespace(self, what: str, stored: Stored) -> None:
        name = stored.meta["name"]
        stored.meta.setdefault("labels", {})["kubernetes.io/metadata.name"] = name
        stored.value["spec"] = {"finalizers": ["kubernetes"]}
        if what == "ADDED":
            stored.value["status"] = {"phase": "Active"}
            self._make(SERVICE_ACCOUNT, {"metadata": {"name": "default", "namespace": name}})
            data = {"ca.crt": "of the server"}
            self._make(CONFIG_MAP, {"metadata": {"name": "kube-root-ca.crt", "namespace": name}, "data": data})
        elif what == "MODIFIED" and stored.going and stored.value["status"]["phase"] == "Active":
            stored.value["status"]["phase"] = "Terminating"
            self._later(lambda: self._empty(stored))

    def _make(self, kind: Any, manifest: Json) -> Stored:
        return self._store.create(kind, manifest, manager=MANAGER)

    def _empty(self, home: Stored) -> None:
        """Until nothing is left in it; what a finalizer holds is told in the namespace's condition."""
        name = home.meta["name"]
        for stored in self._content(name):
            self._store.delete(stored)
        left = self._content(name)
        if not left:
            self._store.remove(home)
            return
        held = sorted({text for stored in left for text in stored.meta.get("finalizers") or []})
        said = f"Some content in the namespace has finalizers remaining: {', '.join(held)}"
        home.value["status"]["conditions"] = [
            {
                "type": "NamespaceFinalizersRemaining",
                "status": "True",
                "reason": "SomeFinalizersRemain",
                "message": said,
            }
        ]
        self._later(lambda: self._empty(home))

    def _content(self, namespace: str) -> list[Stored]:
        return [stored for stored in self._store.each(namespace=namespace) if stored.kind.namespaced]

    # Workloads

    def _stateful_set(self, what: str, stored: Stored) -> None:
        """One pod a replica, made anew when the template changes; claims stay when the set goes."""
        if what == "DELETED" or stored.going or self._store.get(NAMESPACE, stored.meta["namespace"]).going:
            return
        wanted = int(stored.value["spec"].get("replicas", 1))
        template = stored.value["spec"]["template"]
        for pod in self._pods_of(stored):
            number = int(pod.meta["name"].rpartition("-")[2])
            if number >= wanted or pod.value["spec"] != _pod_spec(stored, pod.meta["name"]):
                self._store.delete(pod)  # and, where it is still wanted, made again by what follows
            elif pod.meta.get("annotations", {}) != template["metadata"].get("annotations", {}):
                self._store.delete(pod)
        for number in range(wanted):
            self._pod_make(stored, f"{stored.meta['name']}-{number}")
        self._tell(stored)

    def _pods_of(self, owner: Stored) -> list[Stored]:
        return [pod for pod in self._store.each(POD, owner.meta["namespace"]) if _owned_by(pod, owner)]

    def _pod_make(self, owner: Stored, name: str) -> None:
        namespace, template = owner.meta["namespace"], owner.value["spec"]["template"]
        if self._store.find(POD, name, namespace):
            return
        for claim in owner.value["spec"].get("volumeClaimTemplates") or []:
            self._claim_make(owner, claim, name)
        meta = {
            "name": name,
            "namespace": namespace,
            "labels": {**template["metadata"].get("labels", {}), "statefulset.kubernetes.io/pod-name": name},
            "annotations": template["metadata"].get("annotations", {}),
            "ownerReferences": [_owner(owner)],
        }
        self._make(POD, {"metadata": meta, "spec": _pod_spec(owner, name), "status": {"phase": "Pending"}})

    def _claim_make(self, owner: Stored, template: Json, pod: str) -> None:
        name, namespace = f"{template['metadata']['name']}-{pod}", owner.meta["namespace"]
        if self._store.find(PERSISTENT_VOLUME_CLAIM, name, namespace) is None:
            labels = owner.value["spec"]["selector"]["matchLabels"]
            meta = {"name": name, "namespace": namespace, "labels": dict(labels)}
            self._make(PERSISTENT_VOLUME_CLAIM, {"metadata": meta, "spec": template["spec"]})

    def _tell(self, owner: Stored) -> None:
        pods = self._pods_of(owner)
        ready = sum(is_ready(pod) for pod in pods)
        owner.value["status"] = {
            "observedGeneration": owner.meta["generation"],
            "replicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "currentReplicas": len(pods),
            "updatedReplicas": len(pods),
            "currentRevision": "1",
            "updateRevision": "1",
        }

    def _pod(self, what: str, stored: Stored) -> None:
        """Its set makes another in its place, and counts those that are ready."""
        namespace = stored.meta["namespace"]
        for owner in self._store.each(STATEFUL_SET, namespace):
            if _owned_by(stored, owner) and not owner.going:
                if what == "DELETED":
                    self._stateful_set("MODIFIED", owner)
                else:
                    self._tell(owner)

    @staticmethod
    def _claim(what: str, stored: Stored) -> None:
        """At once, but for one of a class that waits for the node of its first pod."""
        waits = (stored.value.get("spec") or {}).get("storageClassName") == FIRST_CONSUMER
        node = (stored.meta.get("annotations") or {}).get(SELECTED_NODE)
        stored.value.setdefault("status", {})["phase"] = "Pending" if waits and not node else "Bound"

    @staticmethod
    def _service(what: str, stored: Stored) -> None:
        if stored.value.get("spec", {}).get("type") == "LoadBalancer":
            stored.value["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.10"}]}}


def is_ready(pod: Stored) -> bool:
    conditions = pod.value.get("status", {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _owned_by(stored: Stored, owner: Stored) -> bool:
    return owner.meta["uid"] in [reference["uid"] for reference in stored.meta.get("ownerReferences") or []]


def _owner(stored: Stored) -> Json:
    meta = stored.meta
    return {
        "apiVersion": stored.kind.api_version,
        "kind": stored.kind.kind,
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
    }


def _pod_spec(owner: Stored, pod: str) -> Json:
    spec: Json = copy.deepcopy(owner.value["spec"]["template"]["spec"])
    claims = owner.value["spec"].get("volumeClaimTemplates") or []
    volumes = [
        {
            "name": claim["metadata"]["name"],
            "persistentVolumeClaim": {"claimName": f"{claim['metadata']['name']}-{pod}"},
        }
        for claim in claims
    ]
    return {**spec, "volumes": [*(spec.get("volumes") or []), *volumes]}
