"""Organizations: made by platform staff, run by their own admins."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import ProtectedError, Q, QuerySet

from accounts.access import actor_require, staff_require
from accounts.errors import Conflict, InvalidInput
from accounts.models import Organization, RoleBinding, User
from accounts.services.audit import Actor, audit_record
from accounts.services.permissions import permissions_derive
from accounts.services.rows import protected_sentence, row_lock, row_save

UNCHANGED: Final = -1
"""Of a number that may also be taken away."""


@transaction.atomic
def organization_create(
    *, actor: Actor, name: str, display_name: str = "", admin: User | None = None, now: datetime
) -> Organization:
    """A new organization. `admin` (else whoever makes it) becomes its first admin: one without could never get any."""
    staff_require(actor, "create organizations")
    first = admin or actor.user
    if first is None or not first.is_active:
        raise InvalidInput("An organization needs a first admin.", field="admin", accepted="an active user's handle")
    organization = Organization(name=name, display_name=display_name)
    row_save(organization, taken=f"There is an organization {name} already.")
    RoleBinding.objects.create(user=first, role="admin", organization=organization)
    permissions_derive(scope=organization, subject=first, now=now)
    _audit(actor, "organization.create", organization, admin=first.handle)
    return organization


@transaction.atomic
def organization_update(
    *,
    actor: Actor,
    organization: Organization,
    name: str | None = None,
    display_name: str | None = None,
    personal_projects: bool | None = None,
    personal_project_clusters: int | None = None,
    personal_project_lifetime_days: int | None = None,
    member_projects: int | None = None,
    token_maximum_days: int | None = UNCHANGED,
) -> Organization:
    """Changes what is given. Personal projects that are there keep the limits they were made with.

    `token_maximum_days`: None is the platform's; tokens made before end by a new one too.
    """
    actor_require(actor, "organization.update", organization)
    row_lock(organization)
    given = {
        "name": name,
        "display_name": display_name,
        "personal_projects": personal_projects,
        "personal_project_clusters": personal_project_clusters,
        "personal_project_lifetime_days": personal_project_lifetime_days,
        "member_projects": member_projects,
    }
    changed: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if token_maximum_days != UNCHANGED:
        changed["token_maximum_days"] = token_maximum_days
    before = {key: getattr(organization, key) for key in changed}
    for key, value in changed.items():
        setattr(organization, key, value)
    row_save(organization, taken=f"There is an organization {name} already.")
    _audit(actor, "organization.update", organization, before=before, after=changed)
    return organization


@transaction.atomic
def organization_delete(*, actor: Actor, organization: Organization) -> None:
    """Deletes an organization with its teams and roles. Raises Conflict while it has projects or hosts."""
    actor_require(actor, "organization.delete", organization)
    if organization.projects.exists():
        raise Conflict(f"{organization.name} still has projects.", hint="Delete its projects first.")
    _audit(actor, "organization.delete", organization)
    groups = [team.group for team in organization.teams.select_related("group")]
    try:
        organization.delete()
    except ProtectedError as error:
        raise Conflict(protected_sentence(organization.name, error), hint="Delete or move these first.") from None
    for group in groups:
        group.delete()


def organization_lasting_admins(organization: Organization) -> QuerySet[User]:
    """Active users who are admin of the organization without an end, by themselves or through a team."""
    lasting = RoleBinding.objects.filter(organization=organization, role="admin", expires_at=None)
    return User.objects.filter(
        Q(pk__in=lasting.values("user")) | Q(teams__in=lasting.values("team")), is_active=True
    ).distinct()


@contextmanager
def organization_admin_kept(organization: Organization) -> Iterator[None]:
    """Around a change of roles or teams, under the organization's lock: Conflict where its last admin would go."""
    had_admin = organization_lasting_admins(organization).exists()
    yield
    if had_admin and not organization_lasting_admins(organization).exists():
        raise Conflict(
            f"{organization.name} would have no admin left.", hint="Make somebody else its admin first, without an end."
        )


def _audit(actor: Actor, action: str, organization: Organization, **details: object) -> None:
    audit_record(
        actor=actor,
        action=action,
        kind="organization",
        object_id=organization.pk,
        name=organization.name,
        organization_id=organization.pk,
        details=details,
    )
