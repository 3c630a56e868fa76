"""Writes what the sweep decided into the rows of clusters: one statement, however many they are."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection

from clusters.lifecycle.deciding import Plan

_WRITE: Final = """
UPDATE clusters_virtualcluster AS cluster
SET cleanup_at = new.at, cleanup_cause = new.cause, cleanup_state = new.state, cleanup_why = new.why,
    cleanup_warned_at = new.warned::jsonb,
    consent_at = CASE WHEN new.keeps THEN cluster.consent_at ELSE NULL END
FROM unnest(%s::uuid[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::boolean[])
    AS new(id, at, cause, state, why, warned, keeps)
WHERE cluster.id = new.id
"""


def plans_write(plans: Iterable[tuple[UUID, Plan | None, str]]) -> None:
    """Of each cluster the plan (None: there is none any more) and why. Call it with their rows locked."""
    rows = [_row(*each) for each in plans]
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, [list(column) for column in zip(*rows, strict=True)])


def _row(key: UUID, plan: Plan | None, why: str) -> tuple[UUID, datetime | None, str, str, str, str, bool]:
    if plan is None:
        return (key, None, "", "", "", "[]", False)
    told = json.dumps([each.isoformat() for each in plan.warned])
    # a yes is to one plan: with its first warning, it is asked for anew
    return (key, plan.at, plan.cause.value, plan.state.value, why, told, len(plan.warned) > 1)
