"""One start of a control plane's programs: from the API server's first moment to its end."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from localkube import commands
from localkube.api import KubeApi
from localkube.children import Child
from localkube.pki import Identity
from localkube.tools import Tools
from localkube.virtual import access
from localkube.virtual.kubelet import VirtualKubelet
from localkube.virtual.release import Release
from localkube.virtual.storage import Volume
from localkube.virtual.syncing import sync

StartProgram = Callable[[str, commands.Command], Child]
_ASK_READYZ_EVERY_SECONDS = 0.05


class Container:
    """The API server of one release over one volume; with it, once it is ready, controller-manager and syncer."""

    def __init__(self, release: Release, volume: Volume, tools: Tools, start: StartProgram) -> None:
        self.release = release
        self.volume = volume
        self.port = volume.port()
        self.identity: Identity
        self._tools = tools
        self._start = start
        self.identity, files = access.super_admin(volume.authority)
        authority = volume.authority.certificate_file
        self._virtual = KubeApi(self._server, authority, certificate=files, manager="vcluster")

    @property
    def _server(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def start_api(self, binary: Path, etcd_port: int, pod_uid: str) -> Child:
        names = access.serving_names(self.release, pod_uid)
        certificate, key = self.volume.authority.issue_files("apiserver", "kube-apiserver", hosts=names)
        server = commands.ApiServer(
            binary=binary,
            port=self.port,
            etcd_port=etcd_port,
            etcd_prefix=self.volume.etcd_prefix,
            certificate=certificate,
            key=key,
            client_authority=self.volume.authority.certificate_file,
            signing_key=self.volume.signing_key,
        )
        client = self.volume.authority.issue_files("kubelet-client", "kube-apiserver-kubelet-client")
        extras = commands.virtual_apiserver_extras(client, self.volume.authority.certificate_file)
        wished = self.release.value("controlPlane", "distro", "k8s", "apiServer", "extraArgs") or []
        return self._start("kube-apiserver", [*commands.apiserver(server), *extras, *wished])

    async def became_ready(self, apiserver: Child) -> bool:
        """Waits until it answers; False when it ended before."""
        while apiserver.running:
            if await self._virtual.is_ready():
                return True
            await asyncio.sleep(_ASK_READYZ_EVERY_SECONDS)
        return False

    async def serve(self, apiserver: Child, host: KubeApi, version: str, tell_ready: Awaitable[None]) -> None:
        """Until one of the two programs ends, or syncing fails."""
        manager = self._start("kube-controller-manager", self._controller_manager())
        await tell_ready
        kubelet = VirtualKubelet(self.release, host, self.volume.authority)
        await kubelet.start()
        work = [
            asyncio.create_task(sync(self.release, self._virtual, host, version, kubelet)),
            asyncio.create_task(_ended(apiserver)),
            asyncio.create_task(_ended(manager)),
        ]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            kubelet.stop()

    def _controller_manager(self) -> commands.Command:
        config = access.controller_manager_kubeconfig(self.volume.authority, self._server)
        authority = self.volume.authority.certificate_file
        return commands.virtual_controller_manager(self._tools, config, self.volume.signing_key, authority)

    async def close(self) -> None:
        await self._virtual.close()


async def _ended(child: Child) -> None:
    await child.ended()
