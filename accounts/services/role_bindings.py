"""Giving and taking roles. Guardian's rows follow in the same transaction."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts.access import Scope, actor_require, allowed
from accounts.errors import Conflict, InvalidInput
from accounts.models import Organization, Project, RoleBinding, ServiceAccount, Team, User
from accounts.services.access_lost import access_lost
from accounts.services.audit import Actor
from accounts.services.first_sign_in import first_sign_in
from accounts.services.organizations import organization_admin_kept
from accounts.services.permissions import (
    Subject,
    organization_lock,
    permissions_derive,
)
from accounts.services.role_ceiling import is_for, own_time_require, within_own_require
from accounts.services.role_giving import role_audit, role_put, role_remove, scope_of, subject_of
from accounts.services.roles_named import role_named
from accounts.services.rows import row_lock
from accounts.services.staff_joined import staff_joined_tell


@transaction.atomic
def role_binding_create(
    *, actor: Actor, subject: Subject, role: str, scope: Scope, expires_at: datetime | None = None, now: datetime
) -> RoleBinding:
    """Gives a role in an organization, in a project or for one virtual cluster, until `expires_at` where that is given.

    Raises InvalidInput for a role that the scope does not have, for a team or service account of another organization,
    and for somebody from outside the organization whom only its admins may take in; NotAllowed for a role that allows
    more than the giver's own; Conflict where the role was given already.
    """
    actor_require(actor, members_action(scope), scope)
    organization = organization_lock(scope)
    named = role_named(role, scope)
    within_own_require(actor, role=role, actions=named.actions, scope=scope)
    _expiry_check(expires_at, now)
    _subject_check(actor, subject, scope, organization)
    if is_for(subject, actor):
        own_time_require(actor, actions=named.actions, scope=scope, expires_at=expires_at)
    binding = role_put(
        actor=actor,
        subject=subject,
        role=role,
        custom_role=named.custom,
        scope=scope,
        expires_at=expires_at,
        now=now,
    )
    staff_joined_tell(actor=actor, binding=binding, scope=scope, now=now)
    if isinstance(scope, Organization) and isinstance(subject, User):
        first_sign_in(user=subject, now=now)
    return binding


@transaction.atomic
def role_binding_update(
    *, actor: Actor, binding: RoleBinding, expires_at: datetime | None, now: datetime
) -> RoleBinding:
    """Lets a role end at another time, or (None) not at all."""
    scope, subject = scope_of(binding), subject_of(binding)
    actor_require(actor, members_action(scope), scope)
    _glass_check(binding)
    organization = organization_lock(scope)
    row_lock(binding)
    actions = _actions_now(binding)
    within_own_require(actor, role=binding.role, actions=actions, scope=scope)
    _expiry_check(expires_at, now)
    if is_for(subject, actor):
        own_time_require(actor, actions=actions, scope=scope, expires_at=expires_at)
    before = _iso(binding.expires_at)
    with organization_admin_kept(organization):
        binding.expires_at = expires_at
        binding.save(update_fields=["expires_at"])
    permissions_derive(scope=scope, subject=subject, now=now)
    role_audit(actor, "role.change", binding, before={"expires_at": before}, after={"expires_at": _iso(expires_at)})
    return binding


@transaction.atomic
def role_binding_delete(*, actor: Actor, binding: RoleBinding, now: datetime) -> None:
    """Takes a role away; one may always give up one's own. Raises Conflict for an organization's last admin."""
    scope, subject = scope_of(binding), subject_of(binding)
    organization = organization_lock(scope)
    row_lock(binding)
    if actor.user is None or subject != actor.user or actor.user.limits is not None:
        actor_require(actor, members_action(scope), scope)
        _glass_check(binding)
        within_own_require(actor, role=binding.role, actions=_actions_now(binding), scope=scope)
    with organization_admin_kept(organization):
        role_remove(actor=actor, binding=binding, action="role.take", now=now)
    access_lost(subject=subject, now=now)


def role_bindings_expire(*, now: datetime) -> int:
    """Removes bindings that ended by `now`, with their permissions; says how many. Run by a schedule."""
    ended = RoleBinding.objects.filter(expires_at__lte=now).order_by("expires_at").values_list("pk", flat=True)
    return sum(_expire(key, now) for key in list(ended))


@transaction.atomic
def _expire(key: UUID, now: datetime) -> bool:
    binding = RoleBinding.objects.filter(pk=key).first()
    if binding is None:
        return False
    organization_lock(scope_of(binding))
    # it may have been prolonged before the lock was had
    current = RoleBinding.objects.filter(pk=key, expires_at__lte=now).first()
    if current is None:
        return False
    subject = subject_of(current)
    role_remove(actor=Actor(user=None, name="marina"), binding=current, action="role.expire", now=now)
    access_lost(subject=subject, now=now)
    return True


def members_action(scope: Scope) -> str:
    """What one must be allowed to do in the scope to give and take roles there."""
    if isinstance(scope, Organization):
        return "organization.members"
    return "project.members" if isinstance(scope, Project) else "virtualcluster.share"


def _actions_now(binding: RoleBinding) -> frozenset[str]:
    """Under the lock: its custom role may have been changed since it was read."""
    return RoleBinding.objects.select_related("custom_role").get(pk=binding.pk).actions


def _glass_check(binding: RoleBinding) -> None:
    if binding.reason:
        raise Conflict(
            "Platform staff broke the glass for this role: it ends by itself and is not changed.",
            hint="The cluster's owner, the project's admins and platform staff can end it: marina break-glass --end.",
        )


def _expiry_check(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise InvalidInput("A role cannot end before it begins.", field="expires_at", accepted="a time to come")


def _subject_check(actor: Actor, subject: Subject, scope: Scope, organization: Organization) -> None:
    if isinstance(subject, Team):
        if subject.organization_id != organization.pk:
            raise InvalidInput(
                f"{subject} is a team of another organization.",
                field="team",
                accepted=f"a team of {organization.name}",
            )
        return
    if isinstance(subject, ServiceAccount):
        if subject.project.organization_id != organization.pk:
            raise InvalidInput(
                f"{subject} is a service account of another organization.",
                field="service_account",
                accepted=f"a service account of {organization.name}",
            )
        if subject.deleted_at is not None:
            raise InvalidInput(f"{subject} was deleted.", field="service_account", accepted="one that is there")
        return
    if subject.is_service_account:
        raise InvalidInput(
            f"{subject.handle} stands for a service account.", field="user", accepted="a person, or service_account"
        )
    if is_outsider(actor, subject, scope, organization):
        raise outsider_refused(organization)
    if not subject.is_active:
        raise InvalidInput(f"{subject.handle} was deactivated.", field="user", accepted="an active user's handle")


def outsider_check(actor: Actor, user: User, scope: Scope, organization: Organization) -> None:
    """Only the organization's admins take in somebody from outside it; raises InvalidInput, which names the person."""
    if is_outsider(actor, user, scope, organization):
        raise InvalidInput(
            f"{user.handle} does not belong to {organization.name}.",
            field="user",
            accepted="somebody with a role in the organization; its admins can give one",
        )


def is_outsider(actor: Actor, user: User, scope: Scope, organization: Organization) -> bool:
    """Whether they are from outside, and the acting person is none of the admins, who alone take such people in."""
    takes_in = actor.user is None or actor.platform or allowed(actor.user, "organization.members", organization)
    return not isinstance(scope, Organization) and not takes_in and not _belongs(user, organization)


def outsider_refused(organization: Organization) -> InvalidInput:
    """One answer for who does not exist and for who is elsewhere: whoever has a project could ask for all handles."""
    return InvalidInput(
        f"There is no such user, or they do not belong to {organization.name}.",
        field="user",
        accepted="somebody with a role in the organization; its admins can give one",
    )


def _belongs(user: User, organization: Organization) -> bool:
    by_role = Q(organization=organization) | Q(project__organization=organization)
    in_team = organization.teams.filter(members=user).exists()
    return in_team or RoleBinding.objects.filter(by_role, user=user).exists()


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
