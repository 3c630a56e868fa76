"""All that somebody may do in one place, asked with one query: for who gives, takes or defines roles there."""

from collections import defaultdict
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.db.models.functions import Now

from accounts.access import Scope, token_allows
from accounts.models import Organization, Project, User
from accounts.permission_tables import OF_TEAMS, OF_USERS, last_end
from accounts.roles import CLUSTER_ACTIONS, ORGANIZATION_ACTIONS, PROJECT_ACTIONS


def actions_at(scope: Scope) -> tuple[str, ...]:
    """The actions that a role given in such a scope can allow."""
    if isinstance(scope, Organization):
        return ORGANIZATION_ACTIONS
    return PROJECT_ACTIONS if isinstance(scope, Project) else CLUSTER_ACTIONS


def actions_held(user: User, scope: Scope) -> dict[str, datetime | None]:
    """What the user may do there by any role that holds now, as far as their token leaves it, until when (None: ever).

    For every action and scope this is what `access.allowed` answers.
    """
    if not user.is_active or not _token_reaches(user, scope):
        return {}
    known, ends = frozenset(actions_at(scope)), defaultdict[str, list[datetime | None]](list)
    for action, end in _rows(user, scope):
        if action in known and token_allows(user, action):
            ends[action].append(end)
    return {action: last_end(found) for action, found in ends.items()}


def _token_reaches(user: User, scope: Scope) -> bool:
    if user.limits is None or not user.limits.projects:
        return True
    if isinstance(scope, Organization):
        return False
    return (scope if isinstance(scope, Project) else scope.project).pk in user.limits.projects


def _rows(user: User, scope: Scope) -> Any:
    not_ended = Q(expires_at=None) | Q(expires_at__gt=Now())
    queries = [
        table._default_manager.filter(not_ended, **holder, content_object=key).values_list(
            "permission__codename", "expires_at"
        )
        for tables, holder in ((OF_USERS, {"user": user}), (OF_TEAMS, {"group__user": user}))
        for key, table in zip(_keys(scope), reversed(tables), strict=False)
    ]
    return queries[0].union(*queries[1:])


def _keys(scope: Scope) -> tuple[Any, ...]:
    """The scope with those that it is in, from the widest."""
    if isinstance(scope, Organization):
        return (scope.pk,)
    if isinstance(scope, Project):
        return scope.organization_id, scope.pk
    return scope.project.organization_id, scope.project.pk, scope.pk
