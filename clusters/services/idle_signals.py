"""Writing what is known of the use of virtual clusters: gathered from books, or noted by whoever looked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction

from accounts.models.base import new_id
from clusters.lifecycle.signal import SignalKind, SignalState
from clusters.models import IdleSignal
from clusters.models.idle_signal import WHO_LENGTH
from clusters.services.signal_sources import BOOKS, signal_source_written, signal_sources_forget

_AT_ONCE: Final = 2000


@dataclass(frozen=True, kw_only=True)
class Noted:
    """What was found of one cluster by one kind of signal. `observed_at` None: what was known until then stays."""

    cluster_id: UUID
    kind: SignalKind
    last_used_at: datetime | None = None
    who: str = ""
    observed_at: datetime | None = None
    state: SignalState = SignalState.KNOWN
    reason: str = ""


@transaction.atomic
def idle_signals_write(*, noted: Sequence[Noted]) -> int:
    """Brings the rows up to date, one statement for many; the number of rows touched.

    Times never go back, so whoever writes late does no harm. Of a cluster that is gone nothing is written.
    """
    written = 0
    rows = sorted(noted, key=lambda each: (each.cluster_id, each.kind))
    for start in range(0, len(rows), _AT_ONCE):
        columns = list(zip(*(_row(each) for each in rows[start : start + _AT_ONCE]), strict=True))
        with connection.cursor() as cursor:
            cursor.execute(_UPSERT, [list(column) for column in columns])
            written += int(cursor.rowcount)
    return written


def _row(noted: Noted) -> tuple[Any, ...]:
    who = noted.who[:WHO_LENGTH]
    state = (noted.state.value, noted.reason)
    return new_id(), noted.cluster_id, noted.kind.value, noted.last_used_at, who, noted.observed_at, *state


_UPSERT: Final = """
INSERT INTO clusters_idlesignal AS old (
    id, created_at, virtual_cluster_id, kind, last_used_at, who, observed_at, state, reason)
SELECT new.id, now(), new.cluster, new.kind, new.used_at, new.who, new.observed_at, new.state, new.reason
FROM unnest(
    %s::uuid[], %s::uuid[], %s::text[], %s::timestamptz[], %s::text[], %s::timestamptz[], %s::text[], %s::text[]
) AS new (id, cluster, kind, used_at, who, observed_at, state, reason)
JOIN clusters_virtualcluster ON clusters_virtualcluster.id = new.cluster
ORDER BY new.cluster, new.kind
ON CONFLICT (virtual_cluster_id, kind) DO UPDATE SET
    who = CASE WHEN excluded.last_used_at > old.last_used_at OR old.last_used_at IS NULL THEN excluded.who
        ELSE old.who END,
    last_used_at = GREATEST(old.last_used_at, excluded.last_used_at),
    observed_at = GREATEST(old.observed_at, excluded.observed_at),
    state = excluded.state,
    reason = excluded.reason
"""


def signals_gather(*, now: datetime) -> int:
    """Takes over from the books what is newer than what is known: requests through gateways, credentials issued.

    The number of signals that moved. What gateways had not written at `now` comes with a later call.
    """
    with connection.cursor() as cursor:
        cursor.execute(_GATEWAY_NEWER)
        noted = [_gateway_noted(row) for row in cursor.fetchall()]
        cursor.execute(_CREDENTIAL_NEWER)
        noted += [_credential_noted(row) for row in cursor.fetchall()]
    written = idle_signals_write(noted=noted)
    signal_source_written(name=BOOKS, until=now)
    signal_sources_forget(now=now)
    return written


def _gateway_noted(row: tuple[Any, ...]) -> Noted:
    cluster, kind, at, who, client = row
    return Noted(cluster_id=cluster, kind=SignalKind(kind), last_used_at=at, who=f"{who} with {client}")


def _credential_noted(row: tuple[Any, ...]) -> Noted:
    cluster, at, who, what = row
    return Noted(cluster_id=cluster, kind=SignalKind.CREDENTIAL, last_used_at=at, who=f"{who}: {what}")


_WHO: Final = "CASE WHEN person.is_service_account THEN person.name ELSE person.handle END"
_GATEWAY_NEWER: Final = f"""
WITH uses AS (
    SELECT DISTINCT ON (use.virtual_cluster_id, person.is_service_account)
        use.virtual_cluster_id AS cluster,
        CASE WHEN person.is_service_account THEN 'gateway-ci' ELSE 'gateway-person' END AS kind,
        use.last_meant_at AS at, {_WHO} AS who, use.client
    FROM clusters_clusteruse use JOIN accounts_user person ON person.id = use.user_id
    WHERE use.last_meant_at IS NOT NULL
    ORDER BY use.virtual_cluster_id, person.is_service_account, use.last_meant_at DESC
)
SELECT uses.* FROM uses
LEFT JOIN clusters_idlesignal signal ON signal.virtual_cluster_id = uses.cluster AND signal.kind = uses.kind
WHERE signal.last_used_at IS NULL OR uses.at > signal.last_used_at
"""  # noqa: S608 - no word of anybody's is in it
_CREDENTIAL_NEWER: Final = f"""
WITH issued AS (
    SELECT virtual_cluster_id, created_at, user_id, 'a direct kubeconfig' AS what FROM clusters_kubeconfiggrant
    UNION ALL
    SELECT virtual_cluster_id, created_at, coalesce(created_by_id, user_id), 'a static token for the gateway'
    FROM clusters_gatewaytoken
    UNION ALL
    SELECT virtual_cluster_id, created_at, requested_by_id, 'a direct kubeconfig' FROM clusters_operation
    WHERE kind = 'issue-kubeconfig' AND virtual_cluster_id IS NOT NULL AND requested_by_id IS NOT NULL
), newest AS (
    SELECT DISTINCT ON (issued.virtual_cluster_id)
        issued.virtual_cluster_id AS cluster, issued.created_at AS at, {_WHO} AS who, issued.what
    FROM issued JOIN accounts_user person ON person.id = issued.user_id
    ORDER BY issued.virtual_cluster_id, issued.created_at DESC
)
SELECT newest.* FROM newest
LEFT JOIN clusters_idlesignal signal ON signal.virtual_cluster_id = newest.cluster AND signal.kind = 'credential'
WHERE signal.last_used_at IS NULL OR newest.at > signal.last_used_at
"""  # noqa: S608 - no word of anybody's is in it


def unlooked_note(*, clusters: Sequence[UUID], kind: SignalKind) -> None:
    """Makes the rows by which a survey of these clusters is claimed, where there are none yet."""
    IdleSignal.objects.bulk_create(
        (
            IdleSignal(virtual_cluster_id=each, kind=kind.value, reason="Nobody has looked yet.")
            for each in sorted(clusters)
        ),
        ignore_conflicts=True,
    )
