"""Everything that goes back and forth between one virtual cluster and its host, while its control plane is up."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from localkube.api import KubeApi
from localkube.virtual import coredns
from localkube.virtual.fromhost import IngressClasses
from localkube.virtual.kubelet import VirtualKubelet
from localkube.virtual.objects import KINDS, ObjectSyncer
from localkube.virtual.pods import PodSyncer
from localkube.virtual.release import Release


async def sync(release: Release, virtual: KubeApi, host: KubeApi, version: str, kubelet: VirtualKubelet) -> None:
    """Until cancelled. `host` acts as vcluster's ServiceAccount, `virtual` as the super admin."""
    parts: list[Coroutine[Any, Any, None]] = [PodSyncer(release, virtual, host, version, kubelet).run()]
    for kind in KINDS:
        if release.value("sync", "toHost", kind.value, "enabled"):
            parts.append(ObjectSyncer(kind, release, virtual, host).run())
    if release.value("sync", "fromHost", "ingressClasses", "enabled"):
        parts.append(IngressClasses(virtual, host).run())
    async with asyncio.TaskGroup() as tasks:
        for part in parts:
            tasks.create_task(part)
        await coredns.deploy(virtual, release)
