"""Tokens that are limited to projects in which their holder has nothing left: they are ended."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.models import (
    AccessToken,
    OrganizationGroupPermission,
    OrganizationUserPermission,
    Project,
    ProjectGroupPermission,
    ProjectUserPermission,
    VirtualClusterGroupPermission,
    VirtualClusterUserPermission,
)
from accounts.services.audit import Actor
from accounts.services.tokens import tokens_revoke

_SCOPE: Final = "content_object"
_WHY: Final = "Its holder has no role left in the projects that it is limited to."


@transaction.atomic
def tokens_without_reach_revoke(*, now: datetime) -> int:
    """Ends them, with a fixed number of queries and two for each that ends; says how many. Run by a schedule.

    They could do nothing any more before: this keeps them from coming back to life with a later role.
    """
    limited = AccessToken.objects.exclude(projects=[]).filter(revoked_at=None, expires_at__gt=now)
    tokens = list(limited.select_related("user"))
    if not tokens:
        return 0
    users = {token.user_id for token in tokens}
    organizations = dict(
        Project.objects.filter(pk__in={key for token in tokens for key in token.projects}).values_list(
            "pk", "organization"
        )
    )
    held = _held(users, organizations, now)
    lost = [
        token
        for token in tokens
        if not any(
            (token.user_id, key) in held or (token.user_id, organizations.get(key)) in held
            for key in map(UUID, token.projects)
        )
    ]
    return tokens_revoke(actor=Actor(user=None, name="marina"), tokens=lost, why=_WHY, now=now)


def _held(users: Collection[UUID], organizations: dict[UUID, UUID], now: datetime) -> set[tuple[UUID, UUID | None]]:
    """In which of these projects and organizations each user has any permission on what is in a project."""
    lasting = Q(expires_at=None) | Q(expires_at__gt=now)
    projects, tenants = list(organizations), set(organizations.values())
    sees = Q(permission__codename="project.view")
    by_user = Q(lasting, user__in=users)
    by_team = Q(lasting, group__user__in=users)
    found: set[tuple[UUID, UUID | None]] = set()
    rows: tuple[tuple[QuerySet[Any, Any], str, str], ...] = (
        (ProjectUserPermission.objects.filter(by_user, sees, content_object__in=projects), "user", _SCOPE),
        (ProjectGroupPermission.objects.filter(by_team, sees, content_object__in=projects), "group__user", _SCOPE),
        (OrganizationUserPermission.objects.filter(by_user, sees, content_object__in=tenants), "user", _SCOPE),
        (OrganizationGroupPermission.objects.filter(by_team, sees, content_object__in=tenants), "group__user", _SCOPE),
        (
            VirtualClusterUserPermission.objects.filter(by_user, content_object__project__in=projects),
            "user",
            f"{_SCOPE}__project",
        ),
        (
            VirtualClusterGroupPermission.objects.filter(by_team, content_object__project__in=projects),
            "group__user",
            f"{_SCOPE}__project",
        ),
    )
    for found_rows, user, scope in rows:
        found.update(found_rows.values_list(user, scope).distinct())
    return found
