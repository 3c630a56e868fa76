"""Making what tests/e2e/belongings.py lists in a real cluster, as its user would, and reading it back."""

from typing import Any

from dev.waiting import wait_until
from provisioning.drivers.errors import NotFound
from provisioning.drivers.kinds import Kind
from provisioning.drivers.kube import KubeClient
from provisioning.exports.served import Served, ServedKind
from tests.e2e.belongings import Json, owner_named, with_owner

MANAGER = "somebody"


class Owning:
    """Makes objects in one cluster."""

    def __init__(self, kube: KubeClient) -> None:
        self.kube = kube
        self._made: dict[tuple[str, str, str], Json] = {}

    def make(self, manifests: list[Json]) -> list[Json]:
        """All of them, each with its status and its owner; as the server has them."""
        return [self._make(manifest) for manifest in manifests]

    def _make(self, manifest: Json) -> Json:
        served, meta = self.served(manifest), manifest["metadata"]
        namespace = meta.get("namespace", "")
        kind, _, name = owner_named(manifest).partition("/")
        if kind:
            owner = self._made.get((kind, namespace, name)) or self._made[kind, "", name]
            manifest = with_owner(manifest, owner["apiVersion"], owner["metadata"]["uid"])
        made: list[Json] = []

        def taken() -> bool:
            """A definition is served a moment after it was established, a pod once its account is there."""
            try:
                made.append(self.kube.create_as(served.kind, manifest, manager=MANAGER))
            except Exception as error:
                if isinstance(error, NotFound) or "service account" in str(error):
                    return False
                raise
            return True

        wait_until(taken, seconds=30, what=f"{manifest['kind']} {meta['name']} was not taken")
        found = made[0]
        if "status" in manifest and served.has_status:
            patch = {"status": manifest["status"]}
            found = self.kube.patch_as(served.kind, found, patch, manager=MANAGER, subresource="status")
        self._made[manifest["kind"], namespace, meta["name"]] = found
        return found

    def served(self, manifest: Json) -> ServedKind:
        """Where its kind is served, which may take a moment."""
        found: list[Any] = []

        def there() -> bool:
            found.append(Served(self.kube).kind_of(manifest))
            return found[-1] is not None

        wait_until(there, seconds=30, what=f"{manifest['kind']} is not served")
        kind: ServedKind = found[-1]
        return kind

    def exported(self, manifests: list[Json]) -> list[Json]:
        """As an export has them now."""
        return [_plain(self._get(each)) for each in manifests]

    def _get(self, manifest: Json) -> Json:
        kind, meta = self.served(manifest).kind, manifest["metadata"]
        found = self.kube.get(kind, meta["name"], meta.get("namespace"))
        assert found is not None, f"{manifest['kind']} {meta['name']} is not there"
        return found

    def unmake(self, manifests: list[Json]) -> None:
        """Takes all of it away and waits until nothing is left, finalizers too."""
        kinds = {json_key(each): self.served(each).kind for each in manifests}
        for manifest in reversed(manifests):
            self._unmake(kinds[json_key(manifest)], manifest)
        wait_until(
            lambda: not any(self._there(kinds[json_key(each)], each) for each in manifests),
            seconds=120,
            what="not all of it went away",
        )

    def _unmake(self, kind: Kind, manifest: Json) -> None:
        meta = manifest["metadata"]
        if meta.get("finalizers"):
            patch: Json = {"metadata": {"finalizers": None}}
            self.kube.patch_merge(kind, meta["name"], meta.get("namespace"), patch)
        self.kube.delete(kind, meta["name"], meta.get("namespace"), grace=0 if manifest["kind"] == "Pod" else None)

    def _there(self, kind: Kind, manifest: Json) -> bool:
        meta = manifest["metadata"]
        return self.kube.get(kind, meta["name"], meta.get("namespace")) is not None


def json_key(manifest: Json) -> str:
    return f"{manifest['apiVersion']}/{manifest['kind']}"


def _plain(found: Json) -> Json:
    return {**found, "metadata": {key: value for key, value in found["metadata"].items() if key != "managedFields"}}
