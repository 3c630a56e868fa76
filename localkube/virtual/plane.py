"""One control plane: the processes that live and die with one pod, and what they publish on the host."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from localkube import commands
from localkube.api import ApiError, KubeApi, Object
from localkube.children import Child
from localkube.hostfolder import HostFolder
from localkube.kubelet_gate import KubeletGate
from localkube.tools import Tools
from localkube.virtual import access, podstatus
from localkube.virtual.container import Container
from localkube.virtual.release import claim_name, kubernetes_version, read_release
from localkube.virtual.storage import Volume

ENDPOINT_ANNOTATION = "localkube.marina.dev/endpoint"
"""On the Service NAME: where the virtual API is reached from this machine, as https://127.0.0.1:PORT."""

_RESTART_AFTER_SECONDS = 1.0
_TOKEN_SECONDS = 3600


@dataclass(frozen=True)
class HostParts:
    """What every control plane of a host shares."""

    folder: HostFolder
    tools: Tools
    etcd_port: int
    server: str
    authority: Path
    api: KubeApi
    gate: KubeletGate
    children_changed: Callable[[], None]


class ControlPlane:
    """Runs what one pod stands for, until cancelled; then every process of it is gone."""

    def __init__(self, pod: Object, parts: HostParts) -> None:
        self._pod = pod
        self._parts = parts
        self._uid = pod["metadata"]["uid"]
        self._namespace = pod["metadata"]["namespace"]
        self._name = pod["metadata"]["name"]
        self._path = f"/api/v1/namespaces/{self._namespace}"
        self._version = kubernetes_version(pod)
        self._restarts = 0
        self.children: list[Child] = []

    async def run(self) -> None:
        binary = self._parts.tools.kube_apiservers.get(self._version)
        if not binary:
            await self._tell(podstatus.pull_failed(self._pod))
            await asyncio.Event().wait()
            return
        while True:  # as a kubelet would, within the same pod
            await self._run_container(binary)
            await asyncio.sleep(_RESTART_AFTER_SECONDS)
            self._restarts += 1

    async def _run_container(self, binary: Path) -> None:
        since = podstatus.now()
        parts = self._parts
        release, volume, token = await asyncio.gather(read_release(parts.api, self._pod), self._volume(), self._token())
        host = KubeApi(parts.server, parts.authority, token=token, manager="vcluster")
        container = Container(release, volume, parts.tools, self._start)
        try:
            apiserver = container.start_api(binary, parts.etcd_port, self._uid)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._tell_started(since, ready=False))
                tasks.create_task(self._publish(host, container))
                ready = tasks.create_task(container.became_ready(apiserver))
            if ready.result():
                async with asyncio.TaskGroup() as tasks:
                    renewal = tasks.create_task(self._renew_token(host))
                    await container.serve(apiserver, host, self._version, self._tell_started(since, ready=True))
                    renewal.cancel()
        finally:
            await self._end_children()
            await container.close()
            await host.close()
        await self._tell_started(since, ready=False)

    async def _publish(self, host: KubeApi, container: Container) -> None:
        """The secret (as vcluster itself), and how to reach port 8443 of the pod (as the host's own machinery)."""
        release, volume, port = container.release, container.volume, container.port
        annotation = {"metadata": {"annotations": {ENDPOINT_ANNOTATION: f"https://127.0.0.1:{port}"}}}
        await asyncio.gather(
            access.publish_secret(host, release, volume.authority, container.identity),
            self._parts.api.patch(f"{self._path}/services/{release.name}", annotation),
            self._parts.api.apply(self._forward_path(), self._forward_to(port)),
        )

    def _forward_path(self) -> str:
        return f"/apis/kwok.x-k8s.io/v1alpha1/namespaces/{self._namespace}/portforwards/{self._name}"

    def _forward_to(self, port: int) -> Object:
        owner = {"apiVersion": "v1", "kind": "Pod", "name": self._name, "uid": self._uid}
        target = {"address": "127.0.0.1", "port": port}
        return {
            "apiVersion": "kwok.x-k8s.io/v1alpha1",
            "kind": "PortForward",
            "metadata": {"name": self._name, "ownerReferences": [owner]},
            "spec": {"forwards": [{"ports": [8443], "target": target}]},
        }

    async def remove_forward(self) -> None:
        """Breaks open forwards and lets no new one through to whatever takes the port next."""
        self._parts.gate.cut((self._namespace, self._name))
        await self._parts.api.delete(self._forward_path())

    async def _token(self) -> str:
        """Of the ServiceAccount that vcluster runs as: the host's RBAC, admission and quota decide what it may do."""
        account = self._pod["spec"]["serviceAccountName"]
        bound = {"apiVersion": "v1", "kind": "Pod", "name": self._name, "uid": self._uid}
        request = {"spec": {"expirationSeconds": _TOKEN_SECONDS, "boundObjectRef": bound}}
        answer = await self._parts.api.create(f"{self._path}/serviceaccounts/{account}/token", request)
        return str(answer["status"]["token"])

    async def _renew_token(self, host: KubeApi) -> None:
        while True:
            await asyncio.sleep(_TOKEN_SECONDS / 2)
            host.token = await self._token()

    async def _volume(self) -> Volume:
        """Named by the claim's uid; by the pod's where nothing is to be kept."""
        uid = self._uid
        if claim := claim_name(self._pod):
            found = await self._parts.api.get(f"{self._path}/persistentvolumeclaims/{claim}")
            uid = found["metadata"]["uid"]
        return Volume(self._parts.folder.volumes, uid)

    async def _tell_started(self, since: str, *, ready: bool) -> None:
        await self._tell(podstatus.started(self._pod, ready=ready, since=since, restarts=self._restarts))

    async def _tell(self, status: Object) -> None:
        """Sets this pod's status; the uid in it keeps a successor of the same name untouched."""
        body = {"metadata": {"uid": self._uid}, "status": status}
        try:
            await self._parts.api.patch(f"{self._path}/pods/{self._name}/status", body)
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    def _start(self, name: str, command: commands.Command) -> Child:
        log = self._parts.folder.logs / self._namespace / f"{self._name}-{name}.log"
        child = Child(f"{self._namespace}/{self._name}/{name}", command, log)
        self.children.append(child)
        self._parts.children_changed()
        return child

    async def _end_children(self) -> None:
        """Killed, as the containers of a deleted pod are in the end; the store is elsewhere and takes no harm."""
        await asyncio.gather(*(child.kill() for child in self.children))
        self.children.clear()
        self._parts.children_changed()
