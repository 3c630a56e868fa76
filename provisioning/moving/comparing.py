"""Whether a copy is what it was copied from: every object of either side, by digest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from provisioning.drivers.kinds import Json, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.exports.digests import differing_paths
from provisioning.exports.identity import id_of
from provisioning.exports.reading import kind_key, revision_of
from provisioning.moving.changes import carried_kinds
from provisioning.moving.holding import let_go, same_but_for_holding
from provisioning.moving.listing import Name, name_of
from provisioning.moving.owning import Owners
from provisioning.moving.service_addresses import ServicesWay
from provisioning.moving.what_moves import as_moved, left_out, moves

PATHS: int = 3


@dataclass
class Compared:
    """How many objects were compared, and a sentence for each that is not the same, without its full stop."""

    count: int = 0
    differing: list[str] = field(default_factory=list)


def differing(
    source: KubeClient,
    target: KubeClient,
    revisions: Mapping[str, int],
    *,
    before_page: Callable[[], None],
    services: ServicesWay,
) -> Compared:
    """Of what was not changed at the source since these `revisions`. `services`: as what Services were carried.

    What is only at the target was deleted at the source since; the next copy of changes deletes it there too.
    """
    compared, owners = Compared(), Owners(source)
    for kind in carried_kinds(source):
        before_page()
        since = revisions.get(kind_key(kind), 0)
        here, there = _by_name(source, kind), _by_name(target, kind)
        for name, obj in here.items():
            if revision_of(obj) <= since and moves(obj) and not left_out(obj):
                compared.count += 1
                _compare(compared, services.carried(obj), there.get(name), owners)
    return compared


def _by_name(kube: KubeClient, kind: Kind) -> dict[Name, Json]:
    return {name_of(obj): obj for obj in kube.list(kind)}


def copy_same(obj: Json, copy: Json, owners: Owners) -> bool:
    """Whether a copy counts as what it was copied from, which of them may be held; `owners` are those at the source."""
    one, other = as_moved(obj), as_moved(copy)
    return same_but_for_holding(one, other) or same_but_for_holding(owners.moving(one), owners.moving(other))


def copy_differs(obj: Json, copy: Json, owners: Owners) -> list[str]:
    """In which of the fields that count; see `copy_same`."""
    one, other = (let_go(owners.moving(as_moved(each))) for each in (obj, copy))
    return differing_paths(one, other)


def _compare(compared: Compared, obj: Json, copy: Json | None, owners: Owners) -> None:
    if copy is None:
        compared.differing.append(f"{id_of(obj)} is missing")
    elif not copy_same(obj, copy, owners):
        paths = ", ".join(copy_differs(obj, copy, owners)[:PATHS])
        compared.differing.append(f"{id_of(obj)} differs in {paths}")
