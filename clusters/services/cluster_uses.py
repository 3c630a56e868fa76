"""Who uses which virtual cluster: written by gateways in batches, many at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from accounts.models.base import new_id
from clusters.models import ClusterUse

OTHER: Final = "other"
MOST_CLIENTS: Final = 20
"""So many kinds of client of one person are told apart in one cluster: a client may call itself what it likes."""

UseKey = tuple[UUID, UUID, str]
"""Cluster, user, client."""


@dataclass(frozen=True, kw_only=True)
class Use:
    """What one person did with one kind of client since the last batch. The times are those of the last requests.

    `last_meant_at`: of the last one that says that somebody uses the cluster, as polls of tools do not.
    """

    cluster_id: UUID
    user_id: UUID
    client: str
    reads: int = 0
    writes: int = 0
    last_read_at: datetime | None = None
    last_write_at: datetime | None = None
    last_meant_at: datetime | None = None

    @property
    def key(self) -> UseKey:
        """What there is one row of."""
        return self.cluster_id, self.user_id, self.client

    def and_also(self, other: "Use") -> "Use":
        """Both as one."""
        return replace(
            self,
            reads=self.reads + other.reads,
            writes=self.writes + other.writes,
            last_read_at=_later(self.last_read_at, other.last_read_at),
            last_write_at=_later(self.last_write_at, other.last_write_at),
            last_meant_at=_later(self.last_meant_at, other.last_meant_at),
        )


def _later(*times: datetime | None) -> datetime | None:
    return max((time for time in times if time is not None), default=None)


@transaction.atomic
def cluster_uses_add(*, uses: Sequence[Use]) -> int:
    """Adds a batch to what is known, in one statement; the number of rows that it touched.

    Times never go back and counts are added, so gateways write in any order; rows are locked in the order of their
    keys, so none waits for another in a circle. What is gone meanwhile, cluster or user, is left out.
    """
    rows = _told_apart(uses)
    if not rows:
        return 0
    columns = list(zip(*(_row(use) for use in rows), strict=True))
    with connection.cursor() as cursor:
        cursor.execute(_UPSERT, [list(column) for column in columns])
        return int(cursor.rowcount)


def _row(use: Use) -> tuple[object, ...]:
    times = (use.last_read_at, use.last_write_at)
    last = _later(*times, use.last_meant_at)
    return new_id(), use.cluster_id, use.user_id, use.client, *times, last, use.last_meant_at, use.reads, use.writes


_UPSERT: Final = """
INSERT INTO clusters_clusteruse (
    id, created_at, virtual_cluster_id, user_id, client, last_read_at, last_write_at, last_used_at, last_meant_at,
    reads, writes)
SELECT new.id, now(), new.cluster, new.person, new.client, new.read_at, new.write_at, new.used_at, new.meant_at,
    new.reads, new.writes
FROM unnest(
    %s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[],
    %s::timestamptz[], %s::bigint[], %s::bigint[]
) AS new (id, cluster, person, client, read_at, write_at, used_at, meant_at, reads, writes)
JOIN clusters_virtualcluster ON clusters_virtualcluster.id = new.cluster
JOIN accounts_user ON accounts_user.id = new.person
WHERE new.used_at IS NOT NULL
ORDER BY new.cluster, new.person, new.client
ON CONFLICT (virtual_cluster_id, user_id, client) DO UPDATE SET
    last_read_at = GREATEST(clusters_clusteruse.last_read_at, excluded.last_read_at),
    last_write_at = GREATEST(clusters_clusteruse.last_write_at, excluded.last_write_at),
    last_used_at = GREATEST(clusters_clusteruse.last_used_at, excluded.last_used_at),
    last_meant_at = GREATEST(clusters_clusteruse.last_meant_at, excluded.last_meant_at),
    reads = clusters_clusteruse.reads + excluded.reads,
    writes = clusters_clusteruse.writes + excluded.writes
"""


def _told_apart(uses: Sequence[Use]) -> list[Use]:
    """One for each key, those beyond MOST_CLIENTS of a person in a cluster as OTHER."""
    known = _clients_known(uses)
    found: dict[UseKey, Use] = {}
    for use in sorted(uses, key=lambda use: use.key):
        clients = known.setdefault((use.cluster_id, use.user_id), set())
        if use.client not in clients and len(clients) >= MOST_CLIENTS:
            use = replace(use, client=OTHER)
        clients.add(use.client)
        found[use.key] = found[use.key].and_also(use) if use.key in found else use
    return list(found.values())


def _clients_known(uses: Sequence[Use]) -> dict[tuple[UUID, UUID], set[str]]:
    clusters, users = {use.cluster_id for use in uses}, {use.user_id for use in uses}
    rows = ClusterUse.objects.filter(virtual_cluster__in=clusters, user__in=users)
    known: dict[tuple[UUID, UUID], set[str]] = {}
    for cluster, user, client in rows.values_list("virtual_cluster_id", "user_id", "client"):
        known.setdefault((cluster, user), set()).add(client)
    return known
