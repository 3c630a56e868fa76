"""Platform staff who give themselves a role in the admin site: the organization's admins are told."""

from datetime import datetime

from accounts.access import Scope
from accounts.models import RoleBinding
from accounts.organization_admins import organization_admins_now
from accounts.services.audit import Actor
from accounts.services.notifications import About, notification_send
from accounts.services.permissions import organization_of


def staff_joined_tell(*, actor: Actor, binding: RoleBinding, scope: Scope, now: datetime) -> None:
    """In the caller's transaction. The site asks nobody's permission, so nobody else would learn of it.

    Breaking the glass is the way with a reason and an end; this one is meant for installations with a single admin.
    """
    if not actor.platform or actor.user is None or binding.user != actor.user:
        return
    organization = organization_of(scope)
    notification_send(
        recipients=organization_admins_now(organization).exclude(pk=actor.user.pk),
        kind="staff-joined",
        about=About(kind="role-binding", id=binding.pk, name=str(binding), organization_id=organization.pk),
        text=f"{actor.user.label}, of the platform staff, gave themselves the role {binding.role} in {scope}. Take it "
        "away if it is not meant to be; for a look with a reason and an end they can break the glass.",
        command=f"marina audit list --organization {organization.name} --action 'role.*'",
        now=now,
    )
