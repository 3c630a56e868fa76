"""What access rows say beyond yes or no: until when somebody may do something to a cluster, and what a team may."""

from datetime import datetime
from typing import Any

from django.db.models import Model, Q
from django.db.models.functions import Now

from accounts.access import InProject
from accounts.models import Team, User
from accounts.permission_tables import OF_TEAMS, OF_USERS, last_end


def allowed_until(user: User, action: str, cluster: InProject) -> datetime | None:
    """When the last of the roles ends that give `action` to somebody who has it; None: never."""
    return last_end(
        _ends(OF_USERS, {"user": user}, action, cluster) + _ends(OF_TEAMS, {"group__user": user}, action, cluster)
    )


def team_allowed(team: Team, action: str, cluster: InProject) -> bool:
    """Whether a role of the team itself gives `action` for the cluster."""
    return bool(_ends(OF_TEAMS, {"group": team.group_id}, action, cluster))


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
