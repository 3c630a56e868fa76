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
from provisioning.exports.making import managers_of
from provisioning.moving.carrying import moving_way
from provisioning.moving.changes import Changes, carried_kinds, left_out_by_metadata, whole
from provisioning.moving.comparing import copy_differs, copy_same
from provisioning.moving.listing import both_sides
from provisioning.moving.owning import Owners
from provisioning.moving.service_addresses import ServicesWay
from provisioning.moving.what_moves import left_out, moves
from provisioning.moving.writers import By, kubernetes_made, kubernetes_wrote, written_by

CLOCKS_APART: Final = timedelta(minutes=1)
"""By so much the clocks of two hosts may differ."""


def changed_again(
    changes: Changes, source: KubeClient, target: KubeClient, since: datetime, *, services: ServicesWay
) -> list[str]:
    """Of what was changed since the last copy what is not so at the target. Nothing may run there yet.

    What Kubernetes' own controllers did meanwhile does not count: the replicas that an autoscaler wanted, say, stay as
    they were copied, and are found anew at the target.
    """
    kinds, owners = {(kind.group, kind.kind): kind for kind in kinds_served(target).kinds}, Owners(source)
    changed = map(services.carried, changes.changed)
    written = [obj for obj in changed if moves(obj) and written_by(obj, since) is not By.NOBODY]
    told = [str(id_of(obj)) for obj in written if _lost(obj, since, target, kinds, owners)]
    return told + [str(id_of(obj)) for _, obj in changes.gone if moves(obj)]


def _lost(
    obj: Json, since: datetime, target: KubeClient, kinds: Mapping[tuple[str, str], Kind], owners: Owners
) -> bool:
    """Whether the target has not what was written. Where nobody can tell who wrote, what Kubernetes may have is not."""
    key = id_of(obj)
    kind = kinds.get((key.group, key.kind))
    copy = target.get(kind, key.name, key.namespace or None) if kind else None
    if copy is not None and copy_same(obj, copy, owners):
        return False
    if written_by(obj, since) is By.SOMEBODY:
        return True
    if copy is None:
        return not kubernetes_made(obj)
    return not kubernetes_wrote(copy_differs(obj, copy, owners))


def written_since(
    source: KubeClient,
    target: KubeClient,
    revisions: Mapping[str, int],
    since: datetime,
    *,
    mark: str,
    before_page: Callable[[], None],
    services: ServicesWay,
    counts: Mapping[str, int] | None = None,
) -> list[str]:
    """By whoever is neither Kubernetes nor Marina, by the names and times that the API server notes of writers.

    `since` is by the cluster's own clock. What is at the target as it is at the source was copied in time. What was
    carried and is gone from the source counts too, unless Kubernetes took it along with its owner.
    `counts`: see `both_sides`; `services`: as what Services were carried.
    """
    carried_by = moving_way(mark).created_by
    kinds, owners = {(kind.group, kind.kind): kind for kind in kinds_served(target).kinds}, Owners(source)
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
        newer = whole(source, sides.kind, [item for item in sides.newer if _may_count(item, since)])
        written = list(map(services.carried, newer))
        told += [str(id_of(obj)) for obj in written if _counts(obj) and _lost(obj, since, target, kinds, owners)]
        gone = whole(target, sides.kind, [item for item in sides.extra if _was_there(item, since, carried_by)])
        told += [str(id_of(obj)) for obj in gone if _counts(obj) and not owners.took_along(obj)]
    return told


def _was_there(item: Json, since: datetime, carried_by: str) -> bool:
    """Whether it was at the target before anything ran there: it was carried, or it is older.

    Of what has no fields nobody is noted: it may have been.
    """
    managers, created = managers_of(item), datetime.fromisoformat(item["metadata"]["creationTimestamp"])
    return not managers or carried_by in managers or created < since - CLOCKS_APART


def _counts(obj: Json) -> bool:
    return moves(obj) and not left_out(obj)


def _may_count(item: Json, since: datetime) -> bool:
    """By what is listed of it without what it holds."""
    return moves(item) and not left_out_by_metadata(item) and written_by(item, since) is not By.NOBODY
