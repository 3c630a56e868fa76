"""How a virtual cluster that Marina did not make was found: kept with its placement, as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Self

from clusters.chart_values import values_merge

_STORES: Final = (
    ("external-database", ("database", "external", "enabled")),
    ("external-etcd", ("etcd", "external", "enabled")),
    ("deployed-etcd", ("etcd", "deploy", "enabled")),
    ("embedded-etcd", ("etcd", "embedded", "enabled")),
)
DEFAULT_STORE: Final = "embedded-database"
"""What vcluster uses where no other store is switched on."""


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """What was found when a release was adopted, and how far Marina has gone with it."""

    workload: str
    """StatefulSet or Deployment."""
    uid: str
    """Of the workload."""
    image: str
    """Of its control plane."""
    revision: int = 0
    """The Helm revision that was imported."""
    image_values: Mapping[str, Any] = field(default_factory=dict)
    """The chart values by which it got its images: it keeps them, whatever Marina's settings and its host say."""
    paused: bool = False
    answers: bool = False
    complete: bool = False
    """The `adopt` operation succeeded: until then the release is none of Marina's, and deleting does not touch it."""
    taken_over: str = ""
    """When the first `configure` had brought it to what is wanted (ISO 8601)."""
    given_back: bool = False
    """Nothing of it was left, and Marina began to take its own marks off the namespace."""

    @classmethod
    def of_json(cls, found: Mapping[str, Any] | None) -> Self | None:
        """From `Placement.adopted`; None of one that Marina made."""
        return cls(**found) if found is not None else None

    def as_json(self) -> dict[str, Any]:
        """For `Placement.adopted`."""
        return asdict(self)

    def values(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """The cluster's own values, over those of its images."""
        return values_merge(self.image_values, wanted)

    def elsewhere(self, now: datetime) -> dict[str, Any]:
        """For the placement on another host to which it goes: there Marina makes it as it is wanted, of its images."""
        return replace(self, taken_over=now.isoformat(), given_back=False).as_json()

    @property
    def image_tag(self) -> str:
        """ "" where it goes by the chart's version."""
        return str(_at(self.image_values, ("controlPlane", "statefulSet", "image", "tag")) or "")


def adopted_elsewhere(found: Mapping[str, Any] | None, now: datetime) -> dict[str, Any] | None:
    """Of `Placement.adopted` what a placement on another host gets: see `Adoption.elsewhere`."""
    adoption = Adoption.of_json(found)
    return adoption.elsewhere(now) if adoption else None


def image_values_of(computed: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a release's values, defaults included, that decides about images."""
    plane = _at(computed, ("controlPlane",)) or {}
    image = dict(_at(plane, ("statefulSet", "image")) or {})
    distro = {key: value for key, value in (_at(plane, ("distro", "k8s", "image")) or {}).items() if key != "tag"}
    registry = _at(plane, ("advanced", "defaultImageRegistry")) or ""
    return {
        "controlPlane": {
            "statefulSet": {"image": image},
            "distro": {"k8s": {"image": distro}},
            "advanced": {"defaultImageRegistry": registry},
        }
    }


def backing_store_of(computed: Mapping[str, Any]) -> str:
    """Where a release with these values, defaults included, keeps its state."""
    store = _at(computed, ("controlPlane", "backingStore")) or {}
    return next((name for name, path in _STORES if _at(store, path)), DEFAULT_STORE)


def image_edition(image: str) -> str:
    """The image's repository: which edition it is. Without registry, tag and digest: a mirror is no other edition."""
    name = image.partition("@")[0]
    first, slash, rest = name.partition("/")
    path = rest if slash and ("." in first or ":" in first or first == "localhost") else name
    head, slash, last = path.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def _at(values: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values
