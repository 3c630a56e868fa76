"""What a virtual cluster sees of its host's ingress classes, where `sync.fromHost.ingressClasses.enabled` says so."""

import asyncio

from localkube.api import KubeApi, Object
from localkube.virtual.settling import Key, Settling

_CLASSES = "/apis/networking.k8s.io/v1/ingressclasses"


class IngressClasses:
    """Shows every ingress class of the host inside. Takes the right to list them, from the chart's ClusterRole."""

    def __init__(self, virtual: KubeApi, host: KubeApi) -> None:
        self._virtual = virtual
        self._host = host
        self._classes: dict[str, Object] = {}
        self._tasks = asyncio.TaskGroup()
        self._settling = Settling(self._tasks, self._reconcile)

    async def run(self) -> None:
        async with self._tasks as tasks:
            tasks.create_task(self._host.follow(_CLASSES, self._changed))

    def _changed(self, kind: str, found: Object) -> None:
        name = found["metadata"]["name"]
        if kind == "DELETED":
            self._classes.pop(name, None)
        else:
            self._classes[name] = found
        self._settling.look_at(("", name))

    async def _reconcile(self, key: Key) -> None:
        name = key[1]
        if not (found := self._classes.get(name)):
            await self._virtual.delete(f"{_CLASSES}/{name}")
            return
        metadata = {"name": name, "annotations": found["metadata"].get("annotations", {})}
        copy = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": metadata}
        await self._virtual.apply(f"{_CLASSES}/{name}", copy | {"spec": found["spec"]})
