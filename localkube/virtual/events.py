"""The event by which a virtual cluster's user learns that the host refused a pod."""

import hashlib

from localkube.api import ApiError, KubeApi, Object
from localkube.virtual.podstatus import now


class SyncErrors:
    """Warnings with reason SyncError; the same one again raises its count."""

    def __init__(self, virtual: KubeApi) -> None:
        self._virtual = virtual
        self._counts: dict[str, int] = {}

    async def record(self, pod: Object, refusal: str) -> None:
        """`refusal` is the host API's own sentence."""
        metadata = pod["metadata"]
        message = f"Error syncing to host cluster: {refusal}"
        digest = hashlib.sha256(f"{metadata['uid']}{message}".encode()).hexdigest()[:16]
        name = f"{metadata['name'][:200]}.{digest}"
        events = f"/api/v1/namespaces/{metadata['namespace']}/events"
        count = self._counts[name] = self._counts.get(name, 0) + 1
        try:
            await self._virtual.create(events, _event(pod, name, message, count))
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            await self._virtual.patch(f"{events}/{name}", {"count": count, "lastTimestamp": now()})


def _event(pod: Object, name: str, message: str, count: int) -> Object:
    metadata = pod["metadata"]
    subject = {"apiVersion": "v1", "kind": "Pod"} | {key: metadata[key] for key in ("namespace", "name", "uid")}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": metadata["namespace"]},
        "type": "Warning",
        "reason": "SyncError",
        "message": message,
        "involvedObject": subject,
        "source": {"component": "pod-syncer"},
        "reportingComponent": "pod-syncer",
        "count": count,
        "firstTimestamp": now(),
        "lastTimestamp": now(),
    }
