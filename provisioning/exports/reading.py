"""Reads all that users own in a virtual cluster, through its API, page by page."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from provisioning.drivers.errors import ConflictError, NotFound
from provisioning.drivers.kinds import Json, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.exports.digests import object_digest, object_key
from provisioning.exports.discovery import kinds_served, still_served
from provisioning.exports.left_out import EVERY, LeftOut, kind_name, rule_for, rule_unread

PAGE: Final = 200
"""Objects a page: of the largest there may be (1.5 MB each) a worker holds no more at once."""


class ClusterReading:
    """Iterate once; then `counts`, `digests`, `versions`, `revisions` and `left_out` tell what came of it.

    `revisions`: for each kind that was read (see `kind_key`) a resourceVersion; what was changed since then is newer.

    `before_page` runs before each request and may raise to end it. Objects are those of the moment at which their page
    was read: while an export is read, a cluster goes on living.
    """

    def __init__(self, kube: KubeClient, *, before_page: Callable[[], None] = lambda: None, limit: int = PAGE) -> None:
        self._kube, self._before_page, self._limit = kube, before_page, limit
        self.counts: Counter[str] = Counter()
        self.versions: dict[str, str] = {}
        self.revisions: dict[str, int] = {}
        self.digests: dict[str, str] = {}
        self.left_out = LeftOut()

    def __iter__(self) -> Iterator[Json]:
        self._before_page()
        served = kinds_served(self._kube)
        self.left_out.add_silent(served.silent)
        for kind in served.kinds:
            name = kind_name(kind.api_version, kind.kind)
            if rule := rule_unread(kind.api_version, kind.kind):
                self.left_out.add(rule, kind=name, name=EVERY)
            else:
                yield from self._kept(kind, name)

    def _kept(self, kind: Kind, name: str) -> Iterator[Json]:
        for found in self._all(kind):
            meta = found["metadata"]
            if rule := rule_for(found):
                self.left_out.add(rule, kind=name, name=meta["name"], namespace=meta.get("namespace", ""))
                continue
            meta.pop("managedFields", None)
            self.counts[f"{kind.api_version}/{kind.kind}"] += 1
            self.versions[name] = kind.api_version.rpartition("/")[2]
            self.digests[object_key(found)] = object_digest(found)
            yield found

    def _all(self, kind: Kind) -> Iterator[Json]:
        """Each once, also where the server forgot in the middle where we were and they are read again in one piece."""
        seen: set[str] = set()
        try:
            pages = self._pages(kind, self._limit)
            yield from _new(pages, seen, kind)
        except ConflictError:
            yield from _new(self._pages(kind, 0), seen, kind)
        except NotFound:
            if still_served(self._kube, kind):
                raise
            return  # its definition was deleted since we asked what there is

    def _pages(self, kind: Kind, limit: int) -> Iterator[Json]:
        token = ""
        while True:
            self._before_page()
            page = self._kube.page(kind, limit=limit, token=token)
            self.revisions.setdefault(kind_key(kind), revision_of(page))
            yield from page.get("items") or []
            token = (page.get("metadata") or {}).get("continue", "")
            if not token:
                return


def kind_key(kind: Kind) -> str:
    """By what the revisions of kinds are kept."""
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural


def revision_of(found: Json) -> int:
    """The resourceVersion of an object or a list; 0 where it has none, or one that is no number (of other servers)."""
    text = str((found.get("metadata") or {}).get("resourceVersion") or "")
    return int(text) if text.isdecimal() else 0


def _new(items: Iterator[Json], seen: set[str], kind: Kind) -> Iterator[Json]:
    for item in items:
        uid = item["metadata"]["uid"]
        if uid not in seen:
            seen.add(uid)
            # items of a list come without these two
            yield {"apiVersion": kind.api_version, "kind": kind.kind, **item}
