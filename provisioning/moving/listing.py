"""Looking through all objects of two clusters at once, without what they hold.

A cluster that moves is frozen meanwhile, so several kinds are asked for at a time, of both sides: hosts may be far
away, and then it is the answers that are waited for. Where the source alone tells that nothing went, the target is not
asked at all.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

from provisioning.drivers.errors import ConflictError, NotFound
from provisioning.drivers.kinds import Json, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.exports.reading import kind_key, revision_of

PAGE: Final = 5000
"""Some hundred bytes each."""
WHOLE_PAGE: Final = 1000
"""Some thousand bytes each."""
AT_ONCE: Final = 4
"""So many lists of each side; what comes after them is asked for when the first of them was looked at."""

Name = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True)
class Sides:
    """Of one kind what is `newer` at the source than was told, and `extra` at the target: not at the source.

    `going`: what is not newer, is being deleted at the source, and has no copy at the target.

    `revision`: the moment of the source's list; None where the source has no such kind any more. `count`: how many
    there were in it.
    """

    kind: Kind
    newer: list[Json]
    extra: list[Json]
    going: list[Json]
    revision: int | None
    count: int


def both_sides(
    source: KubeClient,
    target: KubeClient,
    kinds: Sequence[Kind],
    revisions: Mapping[str, int],
    *,
    there: Callable[[Kind], bool],
    before_page: Callable[[], None],
    counts: Mapping[str, int] | None = None,
) -> Iterator[Sides]:
    """Each of the kinds, in their order. `there` tells which of them the target serves.

    Newer is what has a greater resourceVersion than the kind has in `revisions`; all of a kind that is not in there.
    `counts`: how many there were at the source at these revisions, when nothing was extra at the target. As many
    without a newer one are the same ones still, as whatever comes is newer: then nothing is extra.
    """
    with ThreadPoolExecutor(AT_ONCE) as here_pool, ThreadPoolExecutor(AT_ONCE) as there_pool:
        asked: deque[Future[Sides]] = deque()

        def ask(kind: Kind) -> None:
            key = kind_key(kind)
            since, count = revisions.get(key, -1), (counts or {}).get(key)
            others = partial(there_pool.submit, _names, target, kind) if there(kind) else None
            asked.append(here_pool.submit(_sides, source, kind, since, count, others))

        try:
            for kind in kinds:
                before_page()
                ask(kind)
                if len(asked) >= AT_ONCE:
                    yield asked.popleft().result()
            while asked:
                before_page()
                yield asked.popleft().result()
        finally:
            for pool in (here_pool, there_pool):
                pool.shutdown(wait=False, cancel_futures=True)


def lists(kube: KubeClient, kinds: Sequence[Kind]) -> list[list[Json]]:
    """All objects of each kind, whole, in the order of the kinds."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(partial(kube.list, limit=WHOLE_PAGE), kinds))


def all_of(kube: KubeClient, kinds: Sequence[Kind]) -> list[Json]:
    """The same in one list."""
    return [each for found in lists(kube, kinds) for each in found]


Names = dict[Name, Json]


def _names(kube: KubeClient, kind: Kind) -> Names:
    return {name_of(item): item for item in listed(kube, kind, {})}


def _sides(
    source: KubeClient, kind: Kind, since: int, count: int | None, ask: Callable[[], Future[Names]] | None
) -> Sides:
    """`ask` has the target listed; at once where no `count` can tell that it need not be."""
    revisions: dict[str, int] = {}
    others = ask() if ask and count is None else None
    names: set[Name] = set()
    newer, going = [], []
    for item in listed(source, kind, revisions):
        names.add(name_of(item))
        if revision_of(item) > since:
            newer.append(item)
        elif "deletionTimestamp" in item["metadata"]:
            going.append(item)
    if ask and others is None and (newer or going or len(names) != count):
        others = ask()
    copies = others.result() if others else {}
    extra = [item for name, item in copies.items() if name not in names]
    uncopied = [item for item in going if others and name_of(item) not in copies]
    return Sides(kind, newer, extra, uncopied, revisions.get(kind_key(kind)), len(names))


def name_of(obj: Json) -> Name:
    """Namespace ("" for none) and name."""
    return obj["metadata"].get("namespace") or "", obj["metadata"]["name"]


def listed(kube: KubeClient, kind: Kind, revisions: dict[str, int]) -> Iterator[Json]:
    """All of a kind, without what they hold; `revisions` gets the moment of the list.

    Read anew where the server forgot its place.
    """
    try:
        items = list(_pages(kube, kind, PAGE, revisions))
    except ConflictError:
        revisions.pop(kind_key(kind), None)
        items = list(_pages(kube, kind, 0, revisions))
    except NotFound:
        return  # its definition was deleted since we asked what there is
    for item in items:
        yield {**item, "apiVersion": kind.api_version, "kind": kind.kind}


def _pages(kube: KubeClient, kind: Kind, limit: int, revisions: dict[str, int]) -> Iterator[Json]:
    token = ""
    while True:
        page = kube.page(kind, limit=limit, token=token, metadata_only=True)
        revisions.setdefault(kind_key(kind), revision_of(page))
        yield from page.get("items") or []
        token = (page.get("metadata") or {}).get("continue", "")
        if not token:
            return
