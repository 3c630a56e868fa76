"""A volume for each claim, gone with it: the part of a host that a storage driver plays elsewhere."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from localkube.api import ApiError, KubeApi, Object, Unreachable
from localkube.bootstrap import STORAGE_CLASS

_MADE_HERE = "localkube.marina.dev/claim-uid"
_VOLUMES = "/api/v1/persistentvolumes"


class Volumes:
    """Watches claims of the default storage class. `on_claim_gone(uid)` is where kept data ends."""

    def __init__(self, api: KubeApi, on_claim_gone: Callable[[str], None]) -> None:
        self._api = api
        self._on_claim_gone = on_claim_gone
        self._tasks = asyncio.TaskGroup()

    async def run(self) -> None:
        """Until cancelled."""
        async with self._tasks:
            await self._api.follow("/api/v1/persistentvolumeclaims", self._claim_changed)

    def _claim_changed(self, kind: str, claim: Object) -> None:
        uid = claim["metadata"]["uid"]
        if kind == "DELETED":
            self._on_claim_gone(uid)
            self._tasks.create_task(self._insist(self._remove(uid)))
        elif claim["spec"].get("storageClassName") == STORAGE_CLASS and not claim["spec"].get("volumeName"):
            self._tasks.create_task(self._insist(self._provide(claim)))

    async def _insist(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (ApiError, *Unreachable) as error:
            print(f"volumes: {error}", flush=True)

    async def _provide(self, claim: Object) -> None:
        try:
            await self._api.create(_VOLUMES, _volume_for(claim))
        except ApiError as error:
            if error.status != 409:  # made at an earlier change of the same claim
                raise

    async def _remove(self, claim_uid: str) -> None:
        await self._api.delete(f"{_VOLUMES}/{_volume_name(claim_uid)}")


def _volume_name(claim_uid: str) -> str:
    return f"pvc-{claim_uid}"


def _volume_for(claim: Object) -> Object:
    """Bound to its claim beforehand, so that the scheduler has nothing to choose and nothing to wait for."""
    metadata = claim["metadata"]
    reference = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": _volume_name(metadata["uid"]), "labels": {_MADE_HERE: metadata["uid"]}},
        "spec": {
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "accessModes": claim["spec"]["accessModes"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": STORAGE_CLASS,
            "claimRef": reference,
            "hostPath": {"path": f"/var/lib/localkube/{metadata['uid']}"},
        },
    }
