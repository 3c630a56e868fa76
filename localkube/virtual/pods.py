"""The pod syncer: copies virtual pods to the host and tells the virtual cluster what became of them.

On the host it acts as the ServiceAccount vc-NAME, so that the host's RBAC, admission and quota decide; in the virtual
cluster as kubernetes-super-admin, like vcluster.
"""

import asyncio
import contextlib
from typing import TypeVar

from localkube.api import ApiError, KubeApi, Object
from localkube.bootstrap import node_status
from localkube.virtual.events import SyncErrors
from localkube.virtual.kubelet import VirtualKubelet
from localkube.virtual.release import Release
from localkube.virtual.settling import Key, Settling
from localkube.virtual.translate import (
    MANAGED_BY,
    OBJECT_NAME,
    OBJECT_NAMESPACE,
    OBJECT_UID,
    host_name,
    host_pod,
    virtual_status,
)

K = TypeVar("K")


class PodSyncer:
    """Runs until cancelled. Holds what both watches last said of each pod, and acts on the difference."""

    def __init__(
        self, release: Release, virtual: KubeApi, host: KubeApi, version: str, kubelet: VirtualKubelet
    ) -> None:
        self._release = release
        self._virtual = virtual
        self._host = host
        self._version = version
        self._kubelet = kubelet
        self._host_path = f"/api/v1/namespaces/{release.namespace}/pods"
        self._virtual_pods: dict[Key, Object] = {}
        self._host_pods: dict[str, Object] = {}
        self._listed = (asyncio.Event(), asyncio.Event())
        self._errors = SyncErrors(virtual)
        self._tasks = asyncio.TaskGroup()
        self._settling = Settling(self._tasks, self._reconcile, *self._listed)

    async def run(self) -> None:
        await self._make_node()
        mine = f"{MANAGED_BY}={self._release.name}"
        async with self._tasks as tasks:
            tasks.create_task(self._virtual.follow("/api/v1/pods", self._virtual_changed, listed=self._listed[0]))
            tasks.create_task(
                self._host.follow(self._host_path, self._host_changed, labels=mine, listed=self._listed[1])
            )

    async def _make_node(self) -> None:
        """The one node of the host, as vcluster shows nodes: its name, and that it is ready."""
        name = self._release.node
        labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "vcluster.loft.sh/fake-node": "true"}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
        with contextlib.suppress(ApiError):  # there since an earlier start
            await self._virtual.create("/api/v1/nodes", node)
        status = node_status(name, self._version, self._kubelet.port)
        await self._virtual.patch(f"/api/v1/nodes/{name}/status", {"status": status})
        await self._virtual.patch(f"/api/v1/nodes/{name}", {"spec": {"taints": None}})

    def _virtual_changed(self, kind: str, pod: Object) -> None:
        key = pod["metadata"]["namespace"], pod["metadata"]["name"]
        _remember(self._virtual_pods, key, kind, pod)
        self._settling.look_at(key)

    def _host_changed(self, kind: str, pod: Object) -> None:
        _remember(self._host_pods, pod["metadata"]["name"], kind, pod)
        annotations = pod["metadata"].get("annotations", {})
        key = annotations.get(OBJECT_NAMESPACE, ""), annotations.get(OBJECT_NAME, "")
        if kind == "DELETED":
            self._kubelet.cut(key)
        self._settling.look_at(key)

    async def _reconcile(self, key: Key) -> None:
        virtual = self._virtual_pods.get(key)
        host = self._host_pods.get(host_name(self._release.name, *key))
        if virtual is None:
            if host:
                await self._delete_on_host(host, None)
        elif "deletionTimestamp" in virtual["metadata"]:
            await self._finish_deletion(virtual, host)
        elif host is None:
            await self._bring_to_host(virtual)
        elif host["metadata"]["annotations"].get(OBJECT_UID) != virtual["metadata"]["uid"]:
            await self._delete_on_host(host, None)  # the copy of a predecessor of the same name
        elif "deletionTimestamp" in host["metadata"]:
            await self._virtual.delete(_path(virtual), grace_seconds=_grace(host), uid=virtual["metadata"]["uid"])
        else:
            await self._report_back(virtual, host)

    async def _finish_deletion(self, virtual: Object, host: Object | None) -> None:
        if host is None:
            await self._virtual.delete(_path(virtual), grace_seconds=0, uid=virtual["metadata"]["uid"])
        elif "deletionTimestamp" not in host["metadata"]:
            await self._delete_on_host(host, _grace(virtual))

    async def _bring_to_host(self, virtual: Object) -> None:
        """A pod that had a copy and lost it goes too, so that its controller makes a new one."""
        if virtual.get("status", {}).get("phase") in ("Succeeded", "Failed"):
            return
        if virtual["spec"].get("nodeName"):
            await self._virtual.delete(_path(virtual), grace_seconds=0, uid=virtual["metadata"]["uid"])
            return
        try:
            await self._host.create(self._host_path, host_pod(virtual, self._release))
        except ApiError as error:
            if error.reason == "AlreadyExists":  # made a moment ago, our watch will tell
                return
            await self._errors.record(virtual, "Pod", error.message)
            raise

    async def _report_back(self, virtual: Object, host: Object) -> None:
        node = host["spec"].get("nodeName")
        if node and not virtual["spec"].get("nodeName"):
            target = {"apiVersion": "v1", "kind": "Node", "name": node}
            binding = {"apiVersion": "v1", "kind": "Binding", "metadata": _named(virtual), "target": target}
            await self._virtual.create(f"{_path(virtual)}/binding", binding)
        status = virtual_status(host)
        if any(virtual.get("status", {}).get(key) != value for key, value in status.items()):
            body = {"metadata": {"uid": virtual["metadata"]["uid"]}, "status": status}
            await self._virtual.patch(f"{_path(virtual)}/status", body)

    async def _delete_on_host(self, host: Object, grace_seconds: int | None) -> None:
        path = f"{self._host_path}/{host['metadata']['name']}"
        await self._host.delete(path, grace_seconds=grace_seconds, uid=host["metadata"]["uid"])


def _remember(pods: dict[K, Object], key: K, kind: str, pod: Object) -> None:
    if kind != "DELETED":
        pods[key] = pod
    elif key in pods and pods[key]["metadata"]["uid"] == pod["metadata"]["uid"]:
        del pods[key]


def _path(pod: Object) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _named(pod: Object) -> Object:
    return {key: pod["metadata"][key] for key in ("name", "namespace", "uid")}


def _grace(pod: Object) -> int:
    return int(pod["metadata"].get("deletionGracePeriodSeconds", 30))
