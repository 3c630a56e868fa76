"""The event by which a virtual cluster's user learns what the host refused."""

import hashlib

from localkube.api import ApiError, KubeApi, Object
from localkube.virtual.podstatus import now


class SyncErrors:
    """Warnings with reason SyncError; the same one again raises its count."""

    def __init__(self, virtual: KubeApi) -> None:
        self._virtual = virtual
        self._counts: dict[str, int] = {}

    async def record(self, about: Object, kind: str, refusal: str) -> None:
        """`about` is an object of the virtual cluster; `refusal` is the host API's own sentence."""
        metadata = about["metadata"]
        message = f"Error syncing to host cluster: {refusal}"
        digest = hashlib.sha256(f"{metadata['uid']}{message}".encode()).hexdigest()[:16]
        name = f"{metadata['name'][:200]}.{digest}"
        events = f"/api/v1/namespaces/{metadata['namespace']}/events"
        count = self._counts[name] = self._counts.get(name, 0) + 1
        try:
            await self._virtual.create(events, _event(metadata, kind, name, message, count))
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            await self._virtual.patch(f"{events}/{name}", {"count": count, "lastTimestamp": now()})


def _event(metadata: Object, kind: str, name: str, message: str, count: int) -> Object:
    subject = {"kind": kind} | {key: metadata[key] for key in ("namespace", "name", "uid")}
    component = f"{kind.lower()}-syncer"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": metadata["namespace"]},
        "type": "Warning",
        "reason": "SyncError",
        "message": message,
        "involvedObject": subject,
        "source": {"component": component},
        "reportingComponent": component,
        "count": count,
        "firstTimestamp": now(),
        "lastTimestamp": now(),
    }
