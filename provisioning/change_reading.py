"""Who wrote inside a virtual cluster, as its objects' managedFields tell: metadata only, page by page."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from clusters.models.known_writer import MANAGER_LENGTH
from clusters.services.known_writers import MOST_KINDS, Written
from provisioning.drivers.errors import ConflictError, NotFound
from provisioning.drivers.kinds import Json, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.engine.errors import PermanentError
from provisioning.exports.discovery import kinds_served, still_served

LEFT_OUT: Final = {
    ("coordination.k8s.io", "leases"): "Renewed every few seconds by whoever leads.",
    ("", "events"): "Told by controllers about what they do.",
    ("events.k8s.io", "events"): "The same, under another name.",
    ("", "endpoints"): "Follow pods.",
    ("discovery.k8s.io", "endpointslices"): "Follow pods.",
}
"""Kinds of objects whose changes are no use, by group and plural, and why. Nobody lists them."""
STATUS: Final = "status"
"""The subresource by which controllers say how things are: not use either."""
MOST_MANAGERS: Final = 1000
_MOST_TIMES: Final = 400


class TooManyObjects(PermanentError):
    """There are more objects, or more who wrote them, than are looked through."""


class _Manager:
    """What one manager wrote so far."""

    def __init__(self) -> None:
        self.times: set[float] = set()
        self.kinds: set[str] = set()
        self.last = float("-inf")
        self.wrote = ""

    def add(self, moment: float, kind: Kind, meta: Json) -> None:
        self.times.add(moment)
        if len(self.times) > _MOST_TIMES:
            self.times = set(sorted(self.times)[-_MOST_TIMES // 2 :])
        if len(self.kinds) < MOST_KINDS:
            self.kinds.add(f"{kind.kind}.{kind.group}".rstrip("."))
        if moment > self.last:
            name = "/".join(part for part in (meta.get("namespace"), meta.get("name")) if part)
            self.last, self.wrote = moment, f"{kind.kind} {name}"


class ChangeReading:
    """One look through all of a cluster. `left` says how many more objects are looked at."""

    def __init__(self, kube: KubeClient, *, most: int) -> None:
        self._kube = kube
        self._most = most
        self._left = most
        self._managers: dict[str, _Manager] = {}

    def writers(self) -> list[Written]:
        """Every field manager of every object, with when it wrote.

        Raises TooManyObjects as soon as that is known, and what the driver raises. What a group's own API server does
        not serve at the moment cannot be written either, and is passed over.
        """
        for kind in kinds_served(self._kube).kinds:
            if (kind.group, kind.plural) not in LEFT_OUT:
                self._kind(kind)
        return [
            Written(manager=name, times=tuple(sorted(each.times)), wrote=each.wrote, kinds=tuple(sorted(each.kinds)))
            for name, each in sorted(self._managers.items())
        ]

    def _kind(self, kind: Kind) -> None:
        before = self._left
        try:
            self._pages(kind, self._kube.page(kind, metadata_only=True))
        except ConflictError:  # the server forgot where we were: once more, in one piece
            self._left = before
            self._pages(kind, self._kube.page(kind, limit=0, metadata_only=True))
        except NotFound:
            if still_served(self._kube, kind):
                raise
            return  # its definition was deleted since we asked what there is

    def _pages(self, kind: Kind, page: Json) -> None:
        while True:
            meta = page.get("metadata") or {}
            items = page.get("items") or []
            self._left -= len(items)
            if self._left - int(meta.get("remainingItemCount") or 0) < 0:
                raise TooManyObjects(f"It holds more than {self._most} objects.", code="too-many-objects")
            for item in items:
                self._object(kind, item.get("metadata") or {})
            if not meta.get("continue"):
                return
            page = self._kube.page(kind, token=meta["continue"], metadata_only=True)

    def _object(self, kind: Kind, meta: Json) -> None:
        for manager, moment in _entries(meta):
            if manager not in self._managers and len(self._managers) == MOST_MANAGERS:
                raise TooManyObjects(f"More than {MOST_MANAGERS} managers write in it.", code="too-many-managers")
            self._managers.setdefault(manager, _Manager()).add(moment, kind, meta)


def _entries(meta: Json) -> Iterator[tuple[str, float]]:
    """Who wrote the object and when. Clients may write managedFields themselves: what cannot be read is passed over."""
    for entry in meta.get("managedFields") or []:
        manager, moment = str(entry.get("manager") or ""), _moment(entry.get("time"))
        if entry.get("subresource") == STATUS or moment is None or not manager.isprintable():
            continue
        if manager:
            yield manager[:MANAGER_LENGTH], moment


def _moment(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except (ValueError, OverflowError):
        return None
