"""Custom roles: defined, changed and deleted by who gives roles in the organization, and never beyond their own."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from accounts.access import actor_require
from accounts.actions_held import actions_held
from accounts.errors import Conflict, FieldError, InvalidInput, NotAllowed
from accounts.limits import PLATFORM
from accounts.models import Organization, Role
from accounts.roles import BUILT_IN_ROLES, ORGANIZATION_ACTIONS, actions_missing
from accounts.services.access_lost import access_lost
from accounts.services.audit import Actor, audit_record
from accounts.services.permissions import organization_lock
from accounts.services.role_ceiling import own_time_require
from accounts.services.role_giving import subject_of
from accounts.services.roles_deriving import role_permissions_derive
from accounts.services.roles_ending import role_uses, role_uses_end
from accounts.services.rows import row_save, row_validate

ROLES_MOST: Final = 100
"""So many custom roles an organization has at most: lists of them have no further pages."""
DEFINES: Final = "organization.members"
"""Who gives roles in an organization also defines what they are."""


@transaction.atomic
def role_create(
    *, actor: Actor, organization: Organization, name: str, actions: Sequence[str], description: str = ""
) -> Role:
    """A new role of the organization. Nobody has it until it is given.

    InvalidInput for a built-in name, actions that are not there, and those that are of no use without another;
    NotAllowed where it allows more than who defines it may; Conflict for a name that is taken.
    """
    actor_require(actor, DEFINES, organization)
    organization_lock(organization)
    _name_check(name)
    _actions_check(actions)
    _within_own_check(actor, organization, actions)
    own_time_require(actor, actions=actions, scope=organization, expires_at=None, field="actions")
    if organization.roles.count() >= ROLES_MOST:
        raise Conflict(f"{organization.name} has {ROLES_MOST} roles of its own, and no more can be made.")
    role = Role(organization=organization, name=name, description=description, actions=_sorted(actions))
    row_save(role, taken=f"{organization.name} has a role {name} already.")
    _audit(actor, "custom-role.create", role, after=_told(role))
    return role


@transaction.atomic
def role_update(
    *, actor: Actor, role: Role, now: datetime, actions: Sequence[str] | None = None, description: str | None = None
) -> Role:
    """Changes what is given; who has the role may do the new actions, and only these, from now on. The name stays.

    Refuses as `role_create` does, also where it allowed more before than who changes it may.
    """
    actor_require(actor, DEFINES, role.organization)
    organization_lock(role.organization)
    locked = Role.objects.select_related("organization").get(pk=role.pk)
    before = _told(locked)
    if description is not None:
        locked.description = description
    if actions is not None:
        _actions_check(actions)
        locked.actions = _sorted(actions)
    _within_own_check(actor, locked.organization, {*before["actions"], *locked.actions})
    added = set(locked.actions) - set(before["actions"])
    own_time_require(actor, actions=added, scope=locked.organization, expires_at=None, field="actions")
    row_validate(locked)
    locked.save(update_fields=["description", "actions"])
    if locked.actions != before["actions"]:
        role_permissions_derive(role=locked, now=now)
    if set(before["actions"]) - set(locked.actions):
        _lost(locked, now)
    _audit(actor, "custom-role.update", locked, before=before, after=_told(locked))
    return locked


@transaction.atomic
def role_delete(*, actor: Actor, role: Role, now: datetime, take: bool = False) -> None:
    """Deletes a role that nobody has. With `take` it is first taken from all who have it.

    Without that, Conflict names who has it, and which invitations and groups give it.
    """
    actor_require(actor, DEFINES, role.organization)
    organization_lock(role.organization)
    locked = Role.objects.select_related("organization").get(pk=role.pk)
    _within_own_check(actor, locked.organization, locked.actions)
    uses = role_uses(locked, now=now)
    if uses and not take:
        more = f" and {len(uses) - 5} more" if len(uses) > 5 else ""
        raise Conflict(
            f"The role {locked.name} is in use: {'; '.join(uses[:5])}{more}.",
            hint="Take it from these first, or with it (`marina role delete --take`, `?take=true`).",
        )
    role_uses_end(actor=actor, role=locked, now=now)
    _audit(actor, "custom-role.delete", locked, before=_told(locked), details={"ended": uses[:100]})
    locked.delete()


def _lost(role: Role, now: datetime) -> None:
    for binding in role.bindings.select_related("user", "team", "service_account__user"):
        access_lost(subject=subject_of(binding), now=now)


def _name_check(name: str) -> None:
    if name in BUILT_IN_ROLES:
        raise InvalidInput(
            f"{name} is a role of Marina's own.",
            field="name",
            accepted=f"any name but {', '.join(BUILT_IN_ROLES)}",
        )


def _actions_check(actions: Sequence[str]) -> None:
    if not actions:
        raise InvalidInput("A role without an action allows nothing.", field="actions", accepted="at least one action")
    errors = [
        FieldError(field=f"actions[{index}]", message=_no_action(action), accepted="an action of docs/permissions.md")
        for index, action in enumerate(actions)
        if action not in ORGANIZATION_ACTIONS
    ]
    if errors:
        raise InvalidInput.of(errors)
    missing = actions_missing(actions)
    if missing:
        told = "; ".join(f"{by} needs {action}" for action, by in sorted(missing.items()))
        raise InvalidInput(f"These would be of no use alone: {told}.", field="actions", accepted="both, or neither")


def _no_action(action: str) -> str:
    if action == PLATFORM:
        return "The powers of platform staff come with no role of an organization."
    return f"There is no action {action[:60]!r}."


def _within_own_check(actor: Actor, organization: Organization, actions: Iterable[str]) -> None:
    if actor.user is None or actor.platform:
        return
    beyond = sorted(set(actions) - actions_held(actor.user, organization).keys())
    if beyond:
        raise NotAllowed(
            f"You may not define what a role with {', '.join(beyond[:5])} is: yours in {organization.name} does not "
            "allow that.",
            hint=f"Leave it out, or ask an admin of {organization.name}.",
            field="actions",
        )


def _sorted(actions: Iterable[str]) -> list[str]:
    """In the order of the role table, each once."""
    return [action for action in ORGANIZATION_ACTIONS if action in frozenset(actions)]


def _told(role: Role) -> dict[str, Any]:
    return {"description": role.description, "actions": list(role.actions)}


def _audit(actor: Actor, action: str, role: Role, **change: Any) -> None:
    audit_record(
        actor=actor,
        action=action,
        kind="role",
        object_id=role.pk,
        name=str(role),
        organization_id=role.organization_id,
        **change,
    )
