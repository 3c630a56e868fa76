"""Which actions many people have on many virtual clusters, by whatever role, and until when: asked by one query."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from django.db.models import Q

from accounts.access import InProject
from accounts.permission_tables import OF_TEAMS, OF_USERS, last_end

Given: TypeAlias = Mapping[str, datetime | None]
"""Actions, each with the last end of the roles that give it; None: it does not end by itself."""


def actions_given(
    *, asked: Collection[tuple[UUID, InProject]], actions: Collection[str], now: datetime
) -> Mapping[tuple[UUID, UUID], Given]:
    """By user and cluster, for each such pair that is asked of: which of these actions roles give there.

    As accounts/access.py answers it one by one, but for whether a user is active and what a token leaves.
    """
    ends = _ends({user for user, _ in asked}, [cluster for _, cluster in asked], actions, now)
    return {
        (user, cluster.pk): _together([ends[user, scope] for scope in _scopes(cluster) if (user, scope) in ends])
        for user, cluster in asked
    }


def _scopes(cluster: InProject) -> tuple[UUID, UUID, UUID]:
    return (cluster.pk, cluster.project.pk, cluster.project.organization_id)


def _ends(
    users: Collection[UUID], clusters: Sequence[InProject], actions: Collection[str], now: datetime
) -> dict[tuple[UUID, UUID], list[tuple[str, datetime | None]]]:
    scopes = [{scope[number] for scope in map(_scopes, clusters)} for number in range(3)]
    lasting = Q(expires_at=None) | Q(expires_at__gt=now)
    queries = []
    for tables, holder in ((OF_USERS, "user"), (OF_TEAMS, "group__user")):
        for table, keys in zip(tables, scopes, strict=True):
            where: dict[str, Any] = {f"{holder}__in": users, "content_object__in": keys}
            rows = table._default_manager.filter(lasting, **where, permission__codename__in=actions)
            queries.append(rows.values_list(holder, "content_object", "permission__codename", "expires_at"))
    found: dict[tuple[UUID, UUID], list[tuple[str, datetime | None]]] = defaultdict(list)
    # ids are unique among all tables, so one says which kind of scope it is of
    for user, scope, action, end in queries[0].union(*queries[1:], all=True):
        found[user, scope].append((action, end))
    return found


def _together(rows: Sequence[Sequence[tuple[str, datetime | None]]]) -> Given:
    ends: dict[str, list[datetime | None]] = defaultdict(list)
    for action, end in (row for each in rows for row in each):
        ends[action].append(end)
    return {action: last_end(found) for action, found in ends.items()}
