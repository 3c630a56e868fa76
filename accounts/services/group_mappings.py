"""What groups of an issuer give: made, changed and deleted by the organization's admins."""

from datetime import datetime

from django.db import transaction

from accounts.access import actor_require
from accounts.errors import InvalidInput
from accounts.models import GroupMapping, Organization, Project, Team
from accounts.oidc.issuers import issuer_of, issuers
from accounts.services.audit import Actor, audit_record
from accounts.services.group_grants import grant_take
from accounts.services.permissions import organization_lock
from accounts.services.role_ceiling import own_time_require, team_within_own_require, within_own_require
from accounts.services.roles_named import role_named
from accounts.services.rows import row_lock, row_save


@transaction.atomic
def group_mapping_create(
    *,
    actor: Actor,
    organization: Organization,
    group: str,
    issuer: str = "",
    team: Team | None = None,
    role: str = "",
    project: Project | None = None,
) -> GroupMapping:
    """A new mapping; it gives at the next sign-in of each person. Without `issuer`, the only one that is configured.

    Raises InvalidInput for both or neither of team and role, and for what belongs to another organization.
    """
    actor_require(actor, "organization.members", organization)
    organization_lock(organization)  # no role is deleted meanwhile
    mapping = GroupMapping(
        organization=organization, issuer=_issuer(issuer), group=group, team=team, role=role, project=project
    )
    _gives_check(mapping)
    _within_own_require(actor, mapping)
    _save(mapping)
    _audit(actor, "group-mapping.create", mapping)
    return mapping


@transaction.atomic
def group_mapping_update(*, actor: Actor, mapping: GroupMapping, group: str, now: datetime) -> GroupMapping:
    """Lets another group give the same. What the former group gave is taken at once.

    Raises Conflict where the organization's last admin would go.
    """
    actor_require(actor, "organization.members", mapping.organization)
    organization_lock(mapping.organization)
    row_lock(mapping)
    before = mapping.group
    if group != before:
        _within_own_require(actor, mapping)
        _taken(actor, mapping, now)
        mapping.group = group
        _save(mapping)
        _audit(actor, "group-mapping.update", mapping, before={"group": before})
    return mapping


@transaction.atomic
def group_mapping_delete(*, actor: Actor, mapping: GroupMapping, now: datetime) -> None:
    """Deletes a mapping and takes what it gave. Raises Conflict where the organization's last admin would go."""
    actor_require(actor, "organization.members", mapping.organization)
    organization_lock(mapping.organization)
    row_lock(mapping)
    _taken(actor, mapping, now)
    _audit(actor, "group-mapping.delete", mapping)
    mapping.delete()


def _taken(actor: Actor, mapping: GroupMapping, now: datetime) -> None:
    """The caller holds the organization's lock."""
    for grant in mapping.grants.select_related("mapping__organization", "mapping__team", "binding", "user"):
        grant_take(grant=grant, now=now, actor=actor)


def _save(mapping: GroupMapping) -> None:
    row_save(mapping, taken=f"The group {mapping.group} gives {mapping.gives} already.", field="group")


def _issuer(text: str) -> str:
    configured = issuers()
    if not configured:
        raise InvalidInput(
            "Nobody can sign in by OpenID Connect here.",
            field="issuer",
            hint="Platform staff configure an issuer first.",
        )
    if not text and len(configured) == 1:
        return configured[0].issuer
    found = issuer_of(text) if text else None
    if found is None:
        accepted = f"one of: {', '.join(each.id for each in configured)}"
        raise InvalidInput("Say which issuer's group it is.", field="issuer", accepted=accepted)
    return found.issuer


def _gives_check(mapping: GroupMapping) -> None:
    if (mapping.team is None) == (not mapping.role):
        raise InvalidInput("A mapping gives a team or a role.", field="role", accepted="exactly one of team and role")
    if mapping.team is not None and mapping.project is not None:
        raise InvalidInput("A team is not of one project.", field="project", accepted="a project, with a role")
    for name, given in (("team", mapping.team), ("project", mapping.project)):
        if given is not None and given.organization_id != mapping.organization_id:
            accepted = f"a {name} of {mapping.organization.name}"
            raise InvalidInput(f"{given} is of another organization.", field=name, accepted=accepted)


def _within_own_require(actor: Actor, mapping: GroupMapping) -> None:
    """Nobody lets a group have more than they have themselves: they may be in it."""
    if mapping.team is not None:
        team_within_own_require(actor, mapping.team, joins=True)
    else:
        named = role_named(mapping.role, mapping.scope)
        within_own_require(actor, role=mapping.role, actions=named.actions, scope=mapping.scope)
        own_time_require(actor, actions=named.actions, scope=mapping.scope, expires_at=None, field="role")


def _audit(actor: Actor, action: str, mapping: GroupMapping, **details: object) -> None:
    audit_record(
        actor=actor,
        action=action,
        kind="group-mapping",
        object_id=mapping.pk,
        name=str(mapping)[:120],
        organization_id=mapping.organization_id,
        details={"issuer": mapping.issuer, "group": mapping.group, "gives": mapping.gives, **details},
    )
