"""Teams, and the Django groups that carry their permissions."""

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone

from accounts.access import actor_require
from accounts.errors import Conflict, InvalidInput
from accounts.models import Organization, RoleBinding, Team, User
from accounts.models.base import new_id
from accounts.services.access_lost import access_lost_by
from accounts.services.audit import Actor, audit_record
from accounts.services.organizations import organization_admin_kept
from accounts.services.permissions import organization_lock, permissions_derive
from accounts.services.role_ceiling import team_within_own_require
from accounts.services.role_giving import scope_of
from accounts.services.rows import protected_sentence, row_lock, row_save


@transaction.atomic
def team_create(*, actor: Actor, organization: Organization, name: str, members: Iterable[User] = ()) -> Team:
    """A new team with these members. It has no role until it is given one."""
    actor_require(actor, "team.manage", organization)
    key = new_id()
    team = Team(id=key, organization=organization, name=name, group=Group.objects.create(name=str(key)))
    row_save(team, taken=f"{organization.name} has a team {name} already.")
    _members_write(team, list(members))
    _audit(actor, "team.create", team, members=_handles(team))
    return team


@transaction.atomic
def team_update(*, actor: Actor, team: Team, name: str | None = None, members: Iterable[User] | None = None) -> Team:
    """Changes what is given; `members` replaces all. Raises Conflict where the organization's last admin would go."""
    actor_require(actor, "team.manage", team.organization)
    organization = organization_lock(team.organization)
    row_lock(team)
    before = {"name": team.name, "members": _handles(team)}
    if name is not None:
        team.name = name
        row_save(team, taken=f"{organization.name} has a team {name} already.")
    if members is not None:
        had, kept = list(team.members.all()), list(members)
        team_within_own_require(actor, team, joins=actor.user in kept and actor.user not in had)
        with organization_admin_kept(organization):
            _members_write(team, kept)
        access_lost_by(users=[each for each in had if each not in kept], teams=[], now=timezone.now())
    _audit(actor, "team.update", team, before=before, after={"name": team.name, "members": _handles(team)})
    return team


@transaction.atomic
def team_delete(*, actor: Actor, team: Team) -> None:
    """Deletes the team with its roles; what it owned goes to admins. Raises Conflict where it held the last admin."""
    actor_require(actor, "team.manage", team.organization)
    organization = organization_lock(team.organization)
    team_within_own_require(actor, team)
    _audit(actor, "team.delete", team, members=_handles(team))
    group, members, now = team.group, list(team.members.all()), timezone.now()
    try:
        with organization_admin_kept(organization):
            # first it is nobody's and may nothing, so that nothing it owned goes to one who is admin only by it
            _roles_end(team, now)
            _members_write(team, [])
            access_lost_by(users=members, teams=[team], now=now)
            team.delete()
    except ProtectedError as error:
        raise Conflict(protected_sentence(str(team), error), hint="Give these to another owner first.") from None
    group.delete()


def _roles_end(team: Team, now: datetime) -> None:
    for binding in RoleBinding.objects.filter(team=team):
        scope = scope_of(binding)
        binding.delete()
        permissions_derive(scope=scope, subject=team, now=now)


def _members_write(team: Team, members: list[User]) -> None:
    for user in members:
        if user.is_service_account:
            raise InvalidInput(f"{user.handle} is no person.", field="members", accepted="handles of people")
        if not user.is_active:
            raise InvalidInput(f"{user.handle} was deactivated.", field="members", accepted="handles of active users")
    team.members.set(members)
    team.group.user_set.set(members)


def _handles(team: Team) -> list[str]:
    return sorted(team.members.values_list("handle", flat=True))


def _audit(actor: Actor, action: str, team: Team, **details: object) -> None:
    audit_record(
        actor=actor,
        action=action,
        kind="team",
        object_id=team.pk,
        name=str(team),
        organization_id=team.organization_id,
        details=details,
    )
