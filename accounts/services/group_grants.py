"""Gives and takes what the groups of a person who just signed in stand for. Only what a mapping gave is ever taken."""

from datetime import datetime
from typing import Final

import structlog
from django.db import transaction
from django.db.models import QuerySet

from accounts.errors import Conflict, MarinaError
from accounts.models import GroupGrant, GroupMapping, RoleBinding, StaffGrant, User
from accounts.oidc.issuers import issuer_of
from accounts.services.audit import Actor, audit_record
from accounts.services.glass_mending import glass_mend
from accounts.services.permissions import organization_lock
from accounts.services.role_bindings import role_binding_create, role_binding_delete
from accounts.services.team_members import team_member_add, team_member_remove

log = structlog.get_logger(__name__)

ACTOR: Final = Actor(user=None, name="group mapping")


@transaction.atomic
def groups_apply(*, user: User, issuer: str, groups: frozenset[str], now: datetime) -> None:
    """Brings what the issuer's mappings gave in line with the groups: gives first, then takes, so nothing flickers.

    What cannot be given or taken (an organization would lose its last admin) stays as it is, with a line in the log
    and an audit event; the sign-in goes on.
    """
    User.objects.select_for_update(no_key=True).get(pk=user.pk)  # two sign-ins at once do not cross
    mappings = GroupMapping.objects.filter(issuer=issuer).select_related("organization", "team", "project")
    for mapping in mappings.filter(group__in=groups):
        try:
            _give(mapping, user, now)
        except MarinaError as error:
            _told(mapping, user, "group-mapping.not-given", error)
    gone = GroupGrant.objects.filter(user=user, mapping__issuer=issuer).exclude(mapping__group__in=groups)
    for grant in gone.select_related("mapping__organization", "mapping__team", "binding", "user"):
        try:
            grant_take(grant=grant, now=now)
        except MarinaError as error:
            _told(grant.mapping, user, "group-mapping.kept", error)
    _staff_apply(user, issuer, groups, now)


@transaction.atomic
def _give(mapping: GroupMapping, user: User, now: datetime) -> None:
    organization_lock(mapping.organization)
    grant = GroupGrant.objects.filter(mapping=mapping, user=user).first()
    if mapping.team is not None:
        # a member who was one before, by hand, gets no grant, and so stays one when the group is gone
        given = team_member_add(actor=ACTOR, team=mapping.team, user=user)
        if grant is None and (given or _others(mapping, user).exists()):
            GroupGrant.objects.create(mapping=mapping, user=user)
    elif grant is None:
        binding = _shared_binding(mapping, user) or _binding_made(mapping, user, now)
        if binding is not None:
            GroupGrant.objects.create(mapping=mapping, user=user, binding=binding)


def _binding_made(mapping: GroupMapping, user: User, now: datetime) -> RoleBinding | None:
    try:
        return role_binding_create(actor=ACTOR, subject=user, role=mapping.role, scope=mapping.scope, now=now)
    except Conflict:
        return None  # they have that role already, by hand


def _shared_binding(mapping: GroupMapping, user: User) -> RoleBinding | None:
    other = _others(mapping, user).select_related("binding").first()
    return other.binding if other else None


def _others(mapping: GroupMapping, user: User) -> QuerySet[GroupGrant]:
    """What other mappings gave this user that is the same thing."""
    return GroupGrant.objects.filter(
        user=user,
        mapping__organization=mapping.organization,
        mapping__team=mapping.team,
        mapping__role=mapping.role,
        mapping__project=mapping.project,
    ).exclude(mapping=mapping)


@transaction.atomic
def grant_take(*, grant: GroupGrant, now: datetime, actor: Actor = ACTOR) -> None:
    """Takes back what a mapping gave, unless another mapping gives the same. Raises Conflict for a last admin."""
    mapping, user, binding = grant.mapping, grant.user, grant.binding
    organization_lock(mapping.organization)
    shared = _others(mapping, user).exists()
    grant.delete()
    if shared:
        return
    if mapping.team is not None:
        team_member_remove(actor=actor, team=mapping.team, user=user, now=now)
    elif binding is not None:
        role_binding_delete(actor=actor, binding=binding, now=now)


def _staff_apply(user: User, issuer: str, groups: frozenset[str], now: datetime) -> None:
    """Platform staff by the issuer's staff group. Who is staff by hand stays so."""
    configured = issuer_of(issuer)
    wanted = configured is not None and bool(configured.staff_group) and configured.staff_group in groups
    grant = StaffGrant.objects.filter(user=user, issuer=issuer).first()
    if wanted and not user.is_staff:
        StaffGrant.objects.get_or_create(user=user, defaults={"issuer": issuer})
        _staff_set(user, True)
    elif grant is not None and not wanted:
        grant.delete()
        _staff_set(user, False)
        glass_mend(actor=ACTOR, user=user, now=now)


def _staff_set(user: User, is_staff: bool) -> None:
    before, user.is_staff = user.is_staff, is_staff
    user.save(update_fields=["is_staff"])
    audit_record(
        actor=ACTOR,
        action="user.update",
        kind="user",
        object_id=user.pk,
        name=user.handle,
        details={"before": {"is_staff": before}, "after": {"is_staff": is_staff}},
    )


def _told(mapping: GroupMapping, user: User, action: str, error: MarinaError) -> None:
    log.warning("a group mapping was not carried out", mapping=str(mapping), user=user.handle, reason=str(error))
    audit_record(
        actor=ACTOR,
        action=action,
        kind="group-mapping",
        object_id=mapping.pk,
        name=str(mapping)[:120],
        organization_id=mapping.organization_id,
        result="refused",
        details={"user": user.handle, "reason": str(error)},
    )
