"""How long operations usually take, measured from those that succeeded."""

from datetime import datetime

from django.db import connection

from clusters.models import OperationKind

NEWEST = 200
"""So many of each kind count: what was usual last year tells nobody how long to wait today."""

_MEASURE = """
    INSERT INTO clusters_usualduration (kind, seconds, samples, measured_at)
    SELECT kind, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds), count(*), %s
    FROM unnest(%s::text[]) AS known(kind) CROSS JOIN LATERAL (
        SELECT extract(epoch FROM finished_at - started_at)::float AS seconds
        FROM clusters_operation AS done
        WHERE done.kind = known.kind AND done.state = 'Succeeded'
          AND done.started_at IS NOT NULL AND done.finished_at IS NOT NULL
          AND NOT EXISTS (
              SELECT 1 FROM clusters_operationevent WHERE operation_id = done.id AND level <> 'info'
          )
        ORDER BY done.finished_at DESC LIMIT %s
    ) AS newest
    GROUP BY kind
    ON CONFLICT (kind) DO UPDATE
    SET seconds = excluded.seconds, samples = excluded.samples, measured_at = excluded.measured_at
"""


def durations_measure(*, now: datetime) -> int:
    """Writes the median of the newest operations of each kind that succeeded; for how many kinds there are any.

    Those in which something went wrong are left out: how long a host or a worker was away says nothing of the next one.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MEASURE, [now, OperationKind.values, NEWEST])
        return int(cursor.rowcount)
