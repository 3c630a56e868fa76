"""One control plane: the processes that live and die with one pod, and what they publish on the host."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from localkube import commands
from localkube.api import ApiError, KubeApi, Object
from localkube.children import Child
from localkube.hostfolder import HostFolder
from localkube.kubelet_gate import KubeletGate
from localkube.pki import Authority, Identity, signing_key
from localkube.ports import free_ports, is_free
from localkube.tools import Tools
from localkube.virtual import access, podstatus
from localkube.virtual.release import Release, claim_name, kubernetes_version, read_release
from localkube.virtual.syncing import sync

ENDPOINT_ANNOTATION = "localkube.marina.dev/endpoint"
"""On the Service NAME: where the virtual API is reached from this machine, as https://127.0.0.1:PORT."""

_ASK_READYZ_EVERY_SECONDS = 0.05
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


@dataclass
class Volume:
    """What outlives the pod, as it would on the claim's volume: keys, and the prefix in etcd that bears its name."""

    uid: str
    folder: Path
    authority: Authority = field(init=False)

    def __post_init__(self) -> None:
        self.authority = Authority(self.folder, "kubernetes")

    @property
    def etcd_prefix(self) -> str:
        return etcd_prefix(self.uid)

    def port(self) -> int:
        """The same as before when nobody took it, so that addresses handed out stay true."""
        remembered = self.folder / "port"
        port = int(remembered.read_text()) if remembered.exists() else 0
        if not port or not is_free(port):
            port = free_ports(1)[0]
            remembered.write_text(str(port))
        return port


def etcd_prefix(volume_uid: str) -> str:
    return f"/vc-{volume_uid}"


class ControlPlane:
    """Runs what one pod stands for, until cancelled; then every process of it is gone."""

    def __init__(self, pod: Object, parts: HostParts) -> None:
        self._pod = pod
        self._parts = parts
        self._uid = pod["metadata"]["uid"]
        self._namespace = pod["metadata"]["namespace"]
        self._name = pod["metadata"]["name"]
        self._path = f"/api/v1/namespaces/{self._namespace}"
        self.children: list[Child] = []

    async def run(self) -> None:
        binary = self._parts.tools.kube_apiservers.get(kubernetes_version(self._pod))
        if not binary:
            await self._tell(podstatus.pull_failed(self._pod))
            await asyncio.Event().wait()
            return
        restarts = 0
        while True:  # as a kubelet would, within the same pod
            await self._run_container(binary, restarts)
            await asyncio.sleep(_RESTART_AFTER_SECONDS)
            restarts += 1

    async def _run_container(self, binary: Path, restarts: int) -> None:
        """From starting the API server to its end."""
        since = podstatus.now()
        release, token = await asyncio.gather(read_release(self._parts.api, self._pod), self._token())
        volume = await self._volume()
        host = KubeApi(self._parts.server, self._parts.authority, token=token, manager="vcluster")
        identity, files = access.super_admin(volume.authority)
        port = volume.port()
        server = f"https://127.0.0.1:{port}"
        virtual = KubeApi(server, volume.authority.certificate_file, certificate=files, manager="vcluster")
        try:
            apiserver = self._start("kube-apiserver", self._apiserver(binary, port, volume, release))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._tell(podstatus.started(self._pod, ready=False, since=since, restarts=restarts)))
                tasks.create_task(self._publish(host, release, volume.authority, identity, port))
                ready = tasks.create_task(_until_ready(virtual, apiserver))
            if ready.result():
                await self._serve(apiserver, server, volume, release, virtual, host, since, restarts)
        finally:
            await self._end_children()
            await virtual.close()
            await host.close()
        await self._tell(podstatus.started(self._pod, ready=False, since=since, restarts=restarts))

    async def _serve(
        self,
        apiserver: Child,
        server: str,
        volume: Volume,
        release: Release,
        virtual: KubeApi,
        host: KubeApi,
        since: str,
        restarts: int,
    ) -> None:
        """Ready until one of the two programs ends."""
        config = access.controller_manager_kubeconfig(volume.authority, server)
        signing = volume.folder / "service-accounts.key"
        authority = volume.authority.certificate_file
        command = commands.virtual_controller_manager(self._parts.tools, config, signing, authority)
        manager = self._start("kube-controller-manager", command)
        await self._tell(podstatus.started(self._pod, ready=True, since=since, restarts=restarts))
        work = [
            asyncio.create_task(sync(release, virtual, host, kubernetes_version(self._pod))),
            asyncio.create_task(self._renew_token(host)),
            asyncio.create_task(apiserver.ended()),
            asyncio.create_task(manager.ended()),
        ]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    def _apiserver(self, binary: Path, port: int, volume: Volume, release: Release) -> commands.Command:
        names = access.serving_names(release, self._uid)
        certificate, key = volume.authority.issue_files("apiserver", "kube-apiserver", hosts=names)
        server = commands.ApiServer(
            binary=binary,
            port=port,
            etcd_port=self._parts.etcd_port,
            etcd_prefix=volume.etcd_prefix,
            certificate=certificate,
            key=key,
            client_authority=volume.authority.certificate_file,
            signing_key=signing_key(volume.folder / "service-accounts.key"),
        )
        return commands.apiserver(server)

    async def _publish(
        self, host: KubeApi, release: Release, authority: Authority, identity: Identity, port: int
    ) -> None:
        """The secret (as vcluster itself), and how to reach port 8443 of the pod (as the host's own machinery)."""
        annotation = {"metadata": {"annotations": {ENDPOINT_ANNOTATION: f"https://127.0.0.1:{port}"}}}
        await asyncio.gather(
            access.publish_secret(host, release, authority, identity),
            self._parts.api.patch(f"{self._path}/services/{release.name}", annotation),
            self._parts.api.apply(f"{self._forwards()}/{self._name}", self._forward_to(port)),
        )

    def _forwards(self) -> str:
        return f"/apis/kwok.x-k8s.io/v1alpha1/namespaces/{self._namespace}/portforwards"

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
        await self._parts.api.delete(f"{self._forwards()}/{self._name}")

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
        return Volume(uid, self._parts.folder.volumes / uid)

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


async def _until_ready(virtual: KubeApi, apiserver: Child) -> bool:
    """Whether it became ready; False when it ended before."""
    while apiserver.running:
        if await virtual.is_ready():
            return True
        await asyncio.sleep(_ASK_READYZ_EVERY_SECONDS)
    return False
