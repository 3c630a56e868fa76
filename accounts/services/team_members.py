"""One person in or out of a team, whoever else is in it: also beside members who were deactivated."""

from datetime import datetime

from django.db import transaction

from accounts.access import actor_require
from accounts.errors import InvalidInput
from accounts.models import Team, User
from accounts.services.access_lost import access_lost_by
from accounts.services.audit import Actor, audit_record
from accounts.services.organizations import organization_admin_kept
from accounts.services.permissions import organization_lock
from accounts.services.role_ceiling import team_within_own_require


@transaction.atomic
def team_member_add(*, actor: Actor, team: Team, user: User) -> bool:
    """Puts somebody into the team; False where they were in it already. Raises InvalidInput for the deactivated."""
    actor_require(actor, "team.manage", team.organization)
    organization_lock(team.organization)
    if team.members.filter(pk=user.pk).exists():
        return False
    team_within_own_require(actor, team, joins=user == actor.user)
    if not user.is_active:
        raise InvalidInput(f"{user.handle} was deactivated.", field="members", accepted="handles of active users")
    team.members.add(user)
    team.group.user_set.add(user)
    _audit(actor, team, added=user.handle)
    return True


@transaction.atomic
def team_member_remove(*, actor: Actor, team: Team, user: User, now: datetime) -> bool:
    """Takes somebody out; False where they were not in it. Raises Conflict where the last admin would go."""
    actor_require(actor, "team.manage", team.organization)
    organization = organization_lock(team.organization)
    if not team.members.filter(pk=user.pk).exists():
        return False
    team_within_own_require(actor, team)
    with organization_admin_kept(organization):
        team.members.remove(user)
        team.group.user_set.remove(user)
    access_lost_by(users=[user], teams=[], now=now)
    _audit(actor, team, removed=user.handle)
    return True


def _audit(actor: Actor, team: Team, **details: str) -> None:
    audit_record(
        actor=actor,
        action="team.update",
        kind="team",
        object_id=team.pk,
        name=str(team),
        organization_id=team.organization_id,
        details=details,
    )
