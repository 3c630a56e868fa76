"""Nobody gives, prolongs, takes or defines more than they have themselves where it holds."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from accounts.access import Scope
from accounts.actions_held import actions_held
from accounts.errors import NotAllowed
from accounts.models import Organization, Project, RoleBinding, ServiceAccount, Team, User
from accounts.roles import ORGANIZATION_ACTIONS
from accounts.services.audit import Actor
from accounts.services.permissions import Subject, organization_of
from accounts.services.role_giving import scope_of

_SCOPES: Final = ("custom_role", "organization", "project__organization", "virtual_cluster__project__organization")


def within_own_require(actor: Actor, *, role: str, actions: Collection[str], scope: Scope) -> None:
    """Lets pass who may do all of this there; NotAllowed names the first action that is missing.

    Marina itself, and platform staff in the admin site, need no role.
    """
    missing = _beyond(actor, actions, scope)
    if missing:
        whom = "organization" if isinstance(scope, Organization) else "project"
        raise NotAllowed(
            f"You may not give or take the role {role}: it allows {missing[0]}, and yours does not.",
            hint=f"Give a lesser role, or ask an admin of the {whom}.",
            field="role",
        )


def own_time_require(
    actor: Actor, *, actions: Collection[str], scope: Scope, expires_at: datetime | None, field: str = "expires_at"
) -> None:
    """Lets pass who has all of this for as long: to be asked where they would have it themselves, or might."""
    if actor.user is None or actor.platform:
        return
    held = actions_held(actor.user, scope)
    first = min((end for action in actions if (end := held.get(action))), default=None)
    if first is not None and (expires_at is None or expires_at > first):
        raise NotAllowed(
            f"You have this yourself until {first.isoformat(timespec='seconds')}, and cannot prolong it.",
            hint="Ask somebody who has it for longer.",
            field=field,
        )


def is_for(subject: Subject, actor: Actor) -> bool:
    """Whether who acts has what this subject gets."""
    if actor.user is None:
        return False
    if isinstance(subject, Team):
        return subject.members.filter(pk=actor.user.pk).exists()
    return (subject.user if isinstance(subject, ServiceAccount) else subject) == actor.user


def team_within_own_require(actor: Actor, team: Team, *, joins: bool = False) -> None:
    """Lets pass who may do all that the team may by its roles: whoever is put into it may do that.

    `joins`: it is who acts, and so they must have it for as long as the team has.
    """
    bindings = RoleBinding.objects.filter(team=team)
    _bindings_within_own(actor, team.organization, bindings, f"change who is in {team.name}", lasting=joins)


def account_within_own_require(actor: Actor, account: ServiceAccount) -> None:
    """Lets pass who may do all that the service account may in its own project, and for clusters there: its tokens do.

    What it was given elsewhere is the affair of who gave it: they trust those who look after its project.
    """
    there = Q(project=account.project_id) | Q(virtual_cluster__project=account.project_id)
    bindings = RoleBinding.objects.filter(there, service_account=account)
    _bindings_within_own(actor, account.project, bindings, f"let anybody in as {account.name}")


def _bindings_within_own(
    actor: Actor, place: Organization | Project, bindings: QuerySet[RoleBinding], what: str, *, lasting: bool = False
) -> None:
    if actor.user is None or actor.platform or _has_everything(actor.user, organization_of(place)):
        return
    rows = bindings.filter(Q(expires_at=None) | Q(expires_at__gt=Now())).select_related(*_SCOPES)
    for binding in rows:
        scope = scope_of(binding)
        missing = _beyond(actor, binding.actions, scope)
        if missing:
            raise NotAllowed(
                f"You may not {what}: the role {binding.role} of {scope} allows {missing[0]}, and yours does not.",
                hint=f"Ask an admin of {organization_of(scope).name}.",
            )
        if lasting:
            ends = binding.expires_at
            own_time_require(actor, actions=binding.actions, scope=scope, expires_at=ends, field="members")


def _has_everything(user: User, organization: Organization) -> bool:
    """For good, and so in everything that is the organization's."""
    held = actions_held(user, organization)
    return all(action in held and held[action] is None for action in ORGANIZATION_ACTIONS)


def _beyond(actor: Actor, actions: Collection[str], scope: Scope) -> list[str]:
    if actor.user is None or actor.platform:
        return []
    return sorted(set(actions) - actions_held(actor.user, scope).keys())
