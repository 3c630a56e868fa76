"""Whom to tell of a cluster's cleanup: its owner; where that is a program or somebody gone, its project's admins."""

from collections.abc import Collection, Mapping
from uuid import UUID

from accounts.models import Team, User
from accounts.services.projects_admins import projects_admins
from clusters.models import VirtualCluster


def owners_of(clusters: Collection[VirtualCluster]) -> Mapping[UUID, list[User]]:
    """By cluster, with a fixed number of statements. Projects and owners of these are read along."""
    teams = _team_people({each.owner_team_id for each in clusters if each.owner_team_id is not None})
    own = {each.pk: _own(each, teams) for each in clusters}
    projects = {each.project_id: each.project for each in clusters if not own[each.pk]}
    admins = projects_admins(list(projects.values())) if projects else {}
    return {each.pk: own[each.pk] or admins.get(each.project_id, []) for each in clusters}


def _own(cluster: VirtualCluster, teams: Mapping[UUID, list[User]]) -> list[User]:
    if cluster.owner_team_id is not None:
        return teams.get(cluster.owner_team_id, [])
    return [user] if (user := cluster.owner_user) is not None and _reads(user) else []


def _team_people(teams: Collection[UUID]) -> dict[UUID, list[User]]:
    if not teams:
        return {}
    rows = Team.objects.filter(pk__in=teams).prefetch_related("members")
    return {team.pk: [user for user in team.members.all() if _reads(user)] for team in rows}


def _reads(user: User) -> bool:
    return user.is_active and not user.is_service_account
