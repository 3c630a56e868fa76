"""What was changed in one cluster since a moment that is told by resourceVersions, and what of another is gone by now.

Names are listed without what the objects hold; only those that changed are read. So what did not change costs a line.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from provisioning.drivers.kinds import API_SERVICE, JOB, NAMESPACE, SECRET, Json, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.exports.discovery import kinds_served
from provisioning.exports.left_out import is_token, kind_name, rule_for, rule_unread
from provisioning.exports.reading import kind_key
from provisioning.moving.ending import finalizers_kept, finalizers_of
from provisioning.moving.listing import AT_ONCE, both_sides, name_of
from provisioning.moving.owning import Owners
from provisioning.moving.pods import job_ended
from provisioning.moving.what_moves import TOKENS, as_moved, left_out

FEW: Final = 50
"""Up to so many objects of a kind are read one by one."""
TOLD_BY_METADATA: Final = frozenset(
    {"Pod", "ReplicaSet.apps", "ControllerRevision.apps", "Endpoints", "EndpointSlice.discovery.k8s.io"}
)
"""Kinds of which metadata alone tell whether they are left out."""


@dataclass
class Changes:
    """`changed` at the source, `ending` there (being deleted, and waiting for somebody), `gone` from there.

    `taken`: gone too, but it was Kubernetes that took them, with their owners. `ended`: copies of Jobs that have ended
    there, and are not to run again. `changed` ones tell who wrote them. `revisions` are the moment up to which
    that is true; `counts` how many there were of each kind then.
    """

    changed: list[Json] = field(default_factory=list)
    ending: list[Json] = field(default_factory=list)
    gone: list[tuple[Kind, Json]] = field(default_factory=list)
    taken: list[tuple[Kind, Json]] = field(default_factory=list)
    ended: list[tuple[Kind, Json]] = field(default_factory=list)
    revisions: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.changed) + len(self.ending) + len(self.gone) + len(self.taken) + len(self.ended)


def carried_kinds(source: KubeClient) -> list[Kind]:
    """The kinds that move: not those that another server inside the cluster keeps, which is data of a workload."""
    others = {
        (each["spec"].get("group", ""), each["spec"]["version"])
        for each in source.list(API_SERVICE)
        if each["spec"].get("service")
    }
    served = kinds_served(source).kinds
    kinds = [kind for kind in served if (kind.group, kind.api_version.rpartition("/")[2]) not in others]
    return [kind for kind in kinds if rule_unread(kind.api_version, kind.kind) is None]


def changes_since(
    source: KubeClient,
    target: KubeClient,
    revisions: Mapping[str, int],
    *,
    before_page: Callable[[], None],
    counts: Mapping[str, int] | None = None,
) -> Changes:
    """Reads both. A kind without a revision counts as changed in whole. `counts`: see `both_sides`."""
    found, owners = Changes(), Owners(source)
    there, kinds = {kind_key(kind) for kind in kinds_served(target).kinds}, carried_kinds(source)
    for sides in both_sides(
        source,
        target,
        kinds,
        revisions,
        there=lambda kind: kind_key(kind) in there,
        before_page=before_page,
        counts=counts,
    ):
        if sides.revision is not None:
            found.revisions[kind_key(sides.kind)] = sides.revision
        found.counts[kind_key(sides.kind)] = sides.count
        newer = [item for item in (*sides.newer, *filter(_waits, sides.going)) if not left_out_by_metadata(item)]
        for obj in whole(source, sides.kind, newer):
            _sorted_in(found, obj)
        extra = whole(target, sides.kind, _of_users(sides.extra))
        for obj in extra:
            if not _left_out_alive(obj):
                (found.taken if owners.took_along(obj) else found.gone).append((sides.kind, obj))
    if counts is None:
        found.changed += _tokens_missing(source, target, found)
    found.ending += _their_namespaces(source, target, found)
    found.ended += [(JOB, obj) for obj in whole(source, JOB, _of_users(target.list(JOB))) if job_ended(obj)]
    return found


def _sorted_in(found: Changes, obj: Json) -> None:
    if not obj["metadata"].get("deletionTimestamp"):
        if not left_out(obj):
            found.changed.append(as_moved(obj))
    elif _waits_for_its_end(obj) and not _left_out_alive(obj):
        found.ending.append(_bare(as_moved(obj)))


def _tokens_missing(source: KubeClient, target: KubeClient, found: Changes) -> list[Json]:
    """Exports leave Secrets for tokens out, so they were not in the first copy."""
    here = source.list(SECRET, field_selector=TOKENS, metadata_only=True)
    if not here:
        return []
    known = {name_of(obj) for obj in found.changed if is_token(obj)}
    known |= {name_of(item) for item in target.list(SECRET, field_selector=TOKENS, metadata_only=True)}
    missing = whole(source, SECRET, [item for item in here if name_of(item) not in known])
    return [as_moved(obj) for obj in missing if is_token(obj) and not left_out(obj)]


def _their_namespaces(source: KubeClient, target: KubeClient, found: Changes) -> list[Json]:
    """In which something is ending, where they are going too and nothing of them was copied."""
    known = {obj["metadata"]["name"] for obj in [*found.changed, *found.ending] if obj["kind"] == NAMESPACE.kind}
    named = {obj["metadata"].get("namespace") or "" for obj in found.ending} - known - {""}
    missing = [name for name in sorted(named) if target.get(NAMESPACE, name) is None]
    there = [obj for name in missing if (obj := source.get(NAMESPACE, name)) is not None]
    return [_bare(obj) for obj in there]


def whole(kube: KubeClient, kind: Kind, items: list[Json]) -> list[Json]:
    """With what they hold, as they are now; less those that are gone by now."""
    if len(items) > FEW:
        wanted = {name_of(item) for item in items}
        return [obj for obj in kube.list(kind) if name_of(obj) in wanted]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(
            pool.map(lambda item: kube.get(kind, item["metadata"]["name"], item["metadata"].get("namespace")), items)
        )
    return [{**obj, "apiVersion": kind.api_version, "kind": kind.kind} for obj in found if obj is not None]


def _waits(item: Json) -> bool:
    """Whether it was being deleted already when the first copy was made, and somebody has yet to see to its end."""
    return finalizers_kept(item) != finalizers_of(item)


def _of_users(items: list[Json]) -> list[Json]:
    return [
        item
        for item in items
        if ("deletionTimestamp" not in item["metadata"] or finalizers_kept(item) != finalizers_of(item))
        and not left_out_by_metadata(item)
    ]


def left_out_by_metadata(item: Json) -> bool:
    """Whether an object that was listed without what it holds is left out for sure."""
    return kind_name(item["apiVersion"], item["kind"]) in TOLD_BY_METADATA and rule_for(item) is not None


def _waits_for_its_end(obj: Json) -> bool:
    """A namespace is waited for by what is in it; all others by their finalizers."""
    return bool(obj["metadata"].get("finalizers")) or obj["kind"] == NAMESPACE.kind


def _left_out_alive(obj: Json) -> bool:
    """Whether it would be left out if it were not being deleted."""
    meta = {key: value for key, value in obj["metadata"].items() if key != "deletionTimestamp"}
    return left_out({**obj, "metadata": meta})


def _bare(obj: Json) -> Json:
    """Without who wrote which field, as exports keep objects."""
    return {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key != "managedFields"}}
