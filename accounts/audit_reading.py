"""Who reads which rows of the audit log."""

from django.db.models import Q, QuerySet

from accounts.access import organizations_where, platform_staff, require
from accounts.errors import NotAllowed
from accounts.models import AuditEvent, Organization, User
from accounts.roles import roles_that_may
from accounts.selectors import organizations_visible_to, uuid_of


def audit_events_visible_to(user: User) -> QuerySet[AuditEvent]:
    """Those of the organizations that the user audits; for platform staff also those of no organization."""
    mine = Q(organization_id__in=organizations_where(user, "organization.audit").values("pk"))
    if platform_staff(user):
        mine |= Q(organization_id=None)
    return AuditEvent.objects.filter(mine)


def audit_require(user: User, organization: str = "") -> None:
    """Lets pass who may read the log of this organization (id or name), or of any where none is named.

    Raises NotAllowed, with the roles that it takes: for an organization that the user does not see the same as for
    one that is not there, as an empty list would look like a log in which nothing stands.
    """
    if not organization:
        if not platform_staff(user) and not organizations_where(user, "organization.audit").exists():
            raise _refused("You may not read the audit log of any organization.")
        return
    seen = organization_seen(user, organization)
    if seen is None:
        raise _refused(f"You may not read the audit log of an organization {organization[:80]!r}, or there is none.")
    require(user, "organization.audit", seen)


def _refused(sentence: str) -> NotAllowed:
    roles = ", ".join(roles_that_may("organization.audit"))
    return NotAllowed(
        sentence,
        hint=f"It takes one of these roles: {roles}. Platform staff read rows of no organization.",
        action="organization.audit",
    )


def organization_seen(user: User, text: str) -> Organization | None:
    """The organization with this id or name, if the user sees it."""
    key = uuid_of(text)
    named = Q(name=text) if key is None else Q(pk=key)
    return organizations_visible_to(user).filter(named).first()
