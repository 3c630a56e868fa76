"""What was changed in one cluster since a moment that is told by resourceVersions, and what of another is gone by now.

Names are listed without what the objects hold; only those that changed are read. So what did not change costs a line.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from provisioning.drivers.errors import ConflictError, NotFound
from provisioning.drivers.kinds import API_SERVICE, JOB, NAMESPACE, Json, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.exports.discovery import kinds_served
from provisioning.exports.left_out import kind_name, rule_for, rule_unread
from provisioning.exports.reading import kind_key, revision_of
from provisioning.moving.pods import job_ended

PAGE: Final = 500
FEW: Final = 50
"""Up to so many objects of a kind are read one by one."""
TOLD_BY_METADATA: Final = frozenset(
    {"Pod", "ReplicaSet.apps", "ControllerRevision.apps", "Endpoints", "EndpointSlice.discovery.k8s.io"}
)
"""Kinds of which metadata alone tell whether they are left out."""

Name = tuple[str, str]
"""Namespace and name."""


@dataclass
class Changes:
    """`changed` at the source, `ending` there (being deleted, and waiting for somebody), `gone` from there.

    `ended`: copies of Jobs that have ended there, and are not to run again.
    `revisions` are the moment up to which that is true.
    """

    changed: list[Json] = field(default_factory=list)
    ending: list[Json] = field(default_factory=list)
    gone: list[tuple[Kind, Json]] = field(default_factory=list)
    ended: list[tuple[Kind, Json]] = field(default_factory=list)
    revisions: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.changed) + len(self.ending) + len(self.gone) + len(self.ended)


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
    source: KubeClient, target: KubeClient, revisions: Mapping[str, int], *, before_page: Callable[[], None]
) -> Changes:
    """Reads both. A kind without a revision counts as changed in whole."""
    found = Changes()
    there = {kind_key(kind) for kind in kinds_served(target).kinds}
    for kind in carried_kinds(source):
        before_page()
        key = kind_key(kind)
        names: set[Name] = set()
        newer = []
        for item in listed(source, kind, found.revisions):
            names.add(name_of(item))
            if revision_of(item) > revisions.get(key, -1) and not _left_out_by_metadata(item):
                newer.append(item)
        for obj in whole(source, kind, newer):
            if not obj["metadata"].get("deletionTimestamp"):
                if rule_for(obj) is None:
                    found.changed.append(_bare(obj))
            elif _waits_for_its_end(obj) and not _left_out_alive(obj):
                found.ending.append(_bare(obj))
        if key in there:
            copies = list(listed(target, kind, {}))
            extra = [item for item in copies if name_of(item) not in names]
            found.gone += [(kind, obj) for obj in whole(target, kind, _of_users(extra)) if rule_for(obj) is None]
            if kind_key(kind) == kind_key(JOB):
                both = [item for item in copies if name_of(item) in names]
                found.ended += [(kind, obj) for obj in whole(source, kind, both) if job_ended(obj)]
    return found


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


def whole(kube: KubeClient, kind: Kind, items: list[Json]) -> list[Json]:
    """With what they hold, as they are now; less those that are gone by now."""
    if len(items) > FEW:
        wanted = {name_of(item) for item in items}
        return [obj for obj in kube.list(kind) if name_of(obj) in wanted]
    found = [kube.get(kind, item["metadata"]["name"], item["metadata"].get("namespace")) for item in items]
    return [{**obj, "apiVersion": kind.api_version, "kind": kind.kind} for obj in found if obj is not None]


def _of_users(items: list[Json]) -> list[Json]:
    return [item for item in items if not _left_out_by_metadata(item) and "deletionTimestamp" not in item["metadata"]]


def _left_out_by_metadata(item: Json) -> bool:
    return kind_name(item["apiVersion"], item["kind"]) in TOLD_BY_METADATA and rule_for(item) is not None


def _waits_for_its_end(obj: Json) -> bool:
    """A namespace is waited for by what is in it; all others by their finalizers."""
    return bool(obj["metadata"].get("finalizers")) or obj["kind"] == NAMESPACE.kind


def _left_out_alive(obj: Json) -> bool:
    """Whether it would be left out if it were not being deleted."""
    meta = {key: value for key, value in obj["metadata"].items() if key != "deletionTimestamp"}
    return rule_for({**obj, "metadata": meta}) is not None


def _bare(obj: Json) -> Json:
    """Without who wrote which field, as exports keep objects."""
    return {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key != "managedFields"}}
