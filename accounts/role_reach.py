"""What access rows say beyond yes or no: until when somebody may do something to a cluster, and what a team may."""

from datetime import datetime
from typing import Any, Final

from django.db.models import Model, Q
from django.db.models.functions import Now

from accounts.access import InProject
from accounts.models import (
    OrganizationGroupPermission,
    OrganizationUserPermission,
    ProjectGroupPermission,
    ProjectUserPermission,
    Team,
    User,
    VirtualClusterGroupPermission,
    VirtualClusterUserPermission,
)

_OF_USERS: Final[tuple[type[Model], ...]] = (
    VirtualClusterUserPermission,
    ProjectUserPermission,
    OrganizationUserPermission,
)
_OF_TEAMS: Final[tuple[type[Model], ...]] = (
    VirtualClusterGroupPermission,
    ProjectGroupPermission,
    OrganizationGroupPermission,
)


def allowed_until(user: User, action: str, cluster: InProject) -> datetime | None:
    """When the last of the roles ends that give `action` to somebody who has it; None: never."""
    ends = _ends(_OF_USERS, {"user": user}, action, cluster) + _ends(_OF_TEAMS, {"group__user": user}, action, cluster)
    return None if None in ends else max((end for end in ends if end), default=None)


def team_allowed(team: Team, action: str, cluster: InProject) -> bool:
    """Whether a role of the team itself gives `action` for the cluster."""
    return bool(_ends(_OF_TEAMS, {"group": team.group_id}, action, cluster))


def _ends(
    tables: tuple[type[Model], ...], holder: dict[str, Any], action: str, cluster: InProject
) -> list[datetime | None]:
    scopes = (cluster.pk, cluster.project.pk, cluster.project.organization_id)
    not_ended = Q(expires_at=None) | Q(expires_at__gt=Now())
    found: list[datetime | None] = []
    for table, scope in zip(tables, scopes, strict=True):
        rows = table._default_manager.filter(not_ended, **holder, permission__codename=action, content_object=scope)
        found += rows.values_list("expires_at", flat=True)
    return found
