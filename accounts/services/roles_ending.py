"""What gives a custom role: bindings, open invitations, group mappings. Told, and ended, before it is deleted."""

from datetime import datetime

from django.db.models import Q, QuerySet

from accounts.models import GroupMapping, Invitation, Role, RoleBinding
from accounts.services.access_lost import access_lost
from accounts.services.audit import Actor
from accounts.services.group_mappings import group_mapping_delete
from accounts.services.invitations import invitation_revoke
from accounts.services.role_giving import role_remove, subject_of


def role_uses(role: Role, *, now: datetime) -> list[str]:
    """Each in words: "ana is deployer of acme/payments". Bindings that ended by `now` are none."""
    lasting = Q(expires_at=None) | Q(expires_at__gt=now)
    return [
        *(str(each) for each in _bindings(role).filter(lasting)),
        *(f"the group {each.group} gives it in {each.scope}" for each in _mappings(role)),
        *(f"an invitation into {each.scope} until {each.expires_at:%Y-%m-%d}" for each in _invitations(role, now)),
    ]


def role_uses_end(*, actor: Actor, role: Role, now: datetime) -> None:
    """Takes it from everybody, in the caller's transaction, which holds the organization's lock."""
    for mapping in _mappings(role):
        group_mapping_delete(actor=actor, mapping=mapping, now=now)
    for invitation in _invitations(role, now):
        invitation_revoke(actor=actor, invitation=invitation, now=now)
    for binding in _bindings(role):
        subject = subject_of(binding)
        role_remove(actor=actor, binding=binding, action="role.take", now=now)
        access_lost(subject=subject, now=now)


def _bindings(role: Role) -> QuerySet[RoleBinding]:
    return role.bindings.select_related(
        "user",
        "team__organization",
        "service_account__project__organization",
        "service_account__user",
        "organization",
        "project__organization",
        "virtual_cluster__project__organization",
    )


def _mappings(role: Role) -> QuerySet[GroupMapping]:
    found = GroupMapping.objects.filter(organization=role.organization_id, role=role.name)
    return found.select_related("organization", "team", "project__organization")


def _invitations(role: Role, now: datetime) -> QuerySet[Invitation]:
    found = Invitation.objects.filter(
        organization=role.organization_id, role=role.name, used_at=None, revoked_at=None, expires_at__gt=now
    )
    return found.select_related("organization", "project__organization")
