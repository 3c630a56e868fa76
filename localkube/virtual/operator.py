"""Watches the host for pods of vcluster StatefulSets and runs a control plane for each."""

import asyncio
import traceback
from collections import defaultdict
from collections.abc import Awaitable, Callable

from localkube.api import ApiError, KubeApi, Object, Unreachable
from localkube.hostfolder import HostFolder, Ports
from localkube.kubelet_gate import KubeletGate
from localkube.tools import Tools
from localkube.virtual.plane import ControlPlane, HostParts
from localkube.virtual.release import claim_name, is_control_plane
from localkube.virtual.storage import forget_volume

NoteChildren = Callable[[dict[str, int]], None]
_RETRY_AFTER_SECONDS = 1.0


class Operator:
    """The control planes of one host. What belongs to a pod's uid ends before another pod of its name begins."""

    def __init__(
        self, folder: HostFolder, tools: Tools, ports: Ports, api: KubeApi, gate: KubeletGate, note: NoteChildren
    ) -> None:
        self._api = api
        self._note = note
        self._tasks = asyncio.TaskGroup()
        self._planes: dict[str, tuple[ControlPlane, asyncio.Task[None]]] = {}
        self._turns: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        authority = folder.pki / "ca.crt"
        server = f"https://127.0.0.1:{ports.api}"
        self._parts = HostParts(folder, tools, ports.etcd, server, authority, api, gate, self._children_changed)

    async def run(self) -> None:
        """Until cancelled; every control plane has ended then."""
        async with self._tasks:
            await self._sweep()
            await self._api.follow("/api/v1/pods", self._pod_changed, labels="app=vcluster")

    def forget_claim(self, claim_uid: str) -> None:
        """The claim is gone, so the virtual cluster's data is: nothing can revive it any more."""
        self._tasks.create_task(_insist(lambda: self._forget(claim_uid)))

    def _pod_changed(self, kind: str, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        gone = kind == "DELETED"
        if gone or "deletionTimestamp" in pod["metadata"]:
            if is_control_plane(pod) and not (gone and uid not in self._planes):
                self._tasks.create_task(_insist(lambda: self._end(pod, gone)))
        elif is_control_plane(pod) and pod["spec"].get("nodeName") and uid not in self._planes:
            plane = ControlPlane(pod, self._parts)
            self._planes[uid] = plane, self._tasks.create_task(self._keep(plane, pod))

    async def _keep(self, plane: ControlPlane, pod: Object) -> None:
        """Its turn comes when its predecessor of the same name has ended."""
        metadata = pod["metadata"]
        async with self._turns[metadata["namespace"], metadata["name"]]:
            while True:
                try:
                    await plane.run()
                except Exception:  # one virtual cluster's trouble must not end the others
                    print(f"{metadata['namespace']}/{metadata['name']}:\n{traceback.format_exc()}", flush=True)
                await asyncio.sleep(_RETRY_AFTER_SECONDS)

    async def _end(self, pod: Object, gone: bool) -> None:
        uid, namespace, name = (pod["metadata"][key] for key in ("uid", "namespace", "name"))
        plane, task = self._planes.pop(uid, (None, None))
        if plane and task:
            task.cancel()
            await plane.remove_forward()
            await asyncio.wait([task])
            if not claim_name(pod):
                await self._forget(uid)
        if not gone:
            await self._api.delete(f"/api/v1/namespaces/{namespace}/pods/{name}", grace_seconds=0, uid=uid)

    async def _forget(self, volume_uid: str) -> None:
        await forget_volume(self._parts.folder.volumes, volume_uid, self._parts.etcd_port)

    async def _sweep(self) -> None:
        """Data whose claim went while the host stood still."""
        claims, pods = await asyncio.gather(
            self._api.get("/api/v1/persistentvolumeclaims"), self._api.get("/api/v1/pods", labelSelector="app=vcluster")
        )
        alive = {item["metadata"]["uid"] for item in [*claims["items"], *pods["items"]]}
        folder = self._parts.folder.volumes
        kept = [path.name for path in folder.iterdir()] if folder.exists() else []
        await asyncio.gather(*(self._forget(uid) for uid in kept if uid not in alive))

    def _children_changed(self) -> None:
        planes = [plane for plane, _ in self._planes.values()]
        self._note({child.name: child.pid for plane in planes for child in plane.children})


async def _insist(work: Callable[[], Awaitable[None]]) -> None:
    """What has to happen, tried until it does: these steps find nothing left to do when repeated."""
    while True:
        try:
            return await work()
        except (ApiError, *Unreachable) as error:
            print(f"operator: {error}", flush=True)
            await asyncio.sleep(_RETRY_AFTER_SECONDS)
