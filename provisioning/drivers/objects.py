"""Objects of any kind, also of those that Marina itself does not use: for exports that are restored."""

from provisioning.drivers.calls import MERGE_PATCH, ApiCalls
from provisioning.drivers.errors import NotFound
from provisioning.drivers.kinds import Json, Kind


class ObjectCalls(ApiCalls):
    """The caller says of which kind an object is, and in whose name it is written."""

    def resources(self, api_version: str) -> list[Json]:
        """What the server serves of this version of a group, subresources among them; empty for one it has not."""
        try:
            answer = self._read(f"/{'apis' if '/' in api_version else 'api'}/{api_version}")
        except NotFound:
            return []
        return answer.get("resources") or []

    def create_as(self, kind: Kind, manifest: Json, *, manager: str) -> Json:
        """The object as created. ConflictError with `already_exists` if it is there."""
        namespace = manifest["metadata"].get("namespace") if kind.namespaced else None
        path = kind.path(namespace=namespace)
        return self._effect("kube.create", "POST", path, manifest, query={"fieldManager": manager})

    def patch_as(self, kind: Kind, found: Json, patch: Json, *, manager: str, subresource: str = "") -> Json:
        """JSON merge patch of the object as it was found: ConflictError where somebody changed it meanwhile."""
        meta = found["metadata"]
        version = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
        body = {**patch, "metadata": {**(patch.get("metadata") or {}), **version}}
        namespace = meta.get("namespace") if kind.namespaced else None
        path = kind.path(namespace=namespace, name=meta["name"], subresource=subresource)
        query = {"fieldManager": manager}
        return self._effect("kube.patch", "PATCH", path, body, query=query, content_type=MERGE_PATCH)
