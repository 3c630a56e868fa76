"""Where a cluster serves a kind that it may know in other versions than the cluster that was exported."""

from dataclasses import dataclass

from provisioning.drivers.kinds import Json, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.exports.digests import group_of


@dataclass(frozen=True)
class ServedKind:
    """A kind as it is served. `has_status`: its status is written apart from the rest."""

    kind: Kind
    has_status: bool


class Served:
    """What one cluster serves, each version of a group asked for once; `forget` what may be there by now.

    Several threads may ask: each keeps what it was told, also where another one forgets it meanwhile.
    """

    def __init__(self, virtual: KubeClient) -> None:
        self._virtual = virtual
        self._resources: dict[str, list[Json]] = {}
        self._versions: list[str] | None = None

    def kind_of(self, obj: Json) -> ServedKind | None:
        """In the version that the object is written in, else in another one of its group; None where in none."""
        own = str(obj["apiVersion"])
        if found := self._in(own, obj):
            return found
        return next((found for each in self._others(own) if (found := self._in(each, obj))), None)

    def forget(self, group: str) -> None:
        """Ask again for this group the next time."""
        self._versions = None
        for version in [each for each in list(self._resources) if group_of({"apiVersion": each}) == group]:
            self._resources.pop(version, None)

    def _in(self, version: str, obj: Json) -> ServedKind | None:
        resources = self._resources.get(version)
        if resources is None:
            resources = self._resources[version] = self._virtual.resources(version)
        of_kind = [each for each in resources if each.get("kind") == obj["kind"]]
        plain = next((each for each in of_kind if "/" not in each["name"]), None)
        if plain is None:
            return None
        names = {each["name"] for each in resources}
        kind = Kind(version, str(obj["kind"]), str(plain["name"]), bool(plain.get("namespaced")))
        return ServedKind(kind, has_status=f"{plain['name']}/status" in names)

    def _others(self, own: str) -> list[str]:
        group = group_of({"apiVersion": own})
        if not group:
            return []
        versions = self._versions
        if versions is None:
            versions = self._versions = self._virtual.api_groups()
        return [each for each in versions if group_of({"apiVersion": each}) == group and each != own]
