"""What was written to a frozen cluster all the same: by somebody who may do everything, as one who is exempt.

The freeze refuses by name. Who may impersonate anybody inside a cluster can write as its syncer; that is seen here
before people are let to the target, and then the source is kept.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from provisioning.drivers.kinds import Json, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.exports.discovery import kinds_served
from provisioning.exports.identity import id_of
from provisioning.exports.left_out import SYSTEM_MANAGERS, rule_for
from provisioning.exports.making import managers_of
from provisioning.moving.carrying import moves, moving_way
from provisioning.moving.changes import Changes, carried_kinds, whole
from provisioning.moving.holding import same_but_for_holding
from provisioning.moving.listing import both_sides
from provisioning.steps.names import MARINA

CLOCKS_APART: Final = timedelta(minutes=1)
"""By so much the clocks of two hosts may differ."""


def changed_again(changes: Changes, target: KubeClient) -> list[str]:
    """Of what was changed since the last copy what is not so at the target. Nothing may run there yet."""
    kinds = {(kind.group, kind.kind): kind for kind in kinds_served(target).kinds}
    told = [str(id_of(obj)) for obj in changes.changed if moves(obj) and not _same(obj, target, kinds)]
    return told + [str(id_of({**obj, "apiVersion": kind.api_version, "kind": kind.kind})) for kind, obj in changes.gone]


def _same(obj: Json, target: KubeClient, kinds: Mapping[tuple[str, str], Kind]) -> bool:
    key = id_of(obj)
    kind = kinds.get((key.group, key.kind))
    copy = target.get(kind, key.name, key.namespace or None) if kind else None
    return copy is not None and same_but_for_holding(obj, copy)


def written_since(
    source: KubeClient,
    target: KubeClient,
    revisions: Mapping[str, int],
    since: datetime,
    *,
    mark: str,
    before_page: Callable[[], None],
    counts: Mapping[str, int] | None = None,
) -> list[str]:
    """By whoever is neither Kubernetes nor Marina, by the names and times that the API server notes of writers.

    `since` is by the cluster's own clock. What is at the target as it is at the source was copied in time. What was
    carried and is gone from the source counts too. `counts`: see `both_sides`.
    """
    carried_by = moving_way(mark).created_by
    kinds = {(kind.group, kind.kind): kind for kind in kinds_served(target).kinds}
    told = []
    for sides in both_sides(
        source,
        target,
        carried_kinds(source),
        revisions,
        there=lambda kind: (kind.group, kind.kind) in kinds,
        before_page=before_page,
        counts=counts,
    ):
        written = whole(source, sides.kind, [item for item in sides.newer if _by_somebody(item, since)])
        told += [str(id_of(obj)) for obj in written if _counts(obj) and not _same(obj, target, kinds)]
        gone = whole(target, sides.kind, [item for item in sides.extra if _was_there(item, since, carried_by)])
        told += [str(id_of(obj)) for obj in gone if _counts(obj)]
    return told


def _was_there(item: Json, since: datetime, carried_by: str) -> bool:
    """Whether it was at the target before anything ran there: nobody but the move wrote it, or it is older."""
    created = datetime.fromisoformat(item["metadata"]["creationTimestamp"])
    return managers_of(item) <= {carried_by} or created < since - CLOCKS_APART


def _counts(obj: Json) -> bool:
    return rule_for(obj) is None and moves(obj)


def _by_somebody(item: Json, since: datetime) -> bool:
    """Times are noted to the second. Of what has no fields nobody is noted; then its age tells."""
    writers = item["metadata"].get("managedFields") or [{"time": item["metadata"].get("creationTimestamp")}]
    return any(
        datetime.fromisoformat(each["time"]) >= since and not _systems(str(each.get("manager")))
        for each in writers
        if each.get("time")
    )


def _systems(manager: str) -> bool:
    return manager in SYSTEM_MANAGERS or manager.startswith(MARINA)
