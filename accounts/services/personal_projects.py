"""What becomes of a personal project when its person leaves the organization, or comes back."""

from collections.abc import Collection
from datetime import datetime

from accounts.access import organizations_where
from accounts.models import Project, RoleBinding, User
from accounts.services.audit import Actor
from accounts.services.role_giving import role_put, role_remove

_ACTOR = Actor(user=None, name="marina")


def personal_projects_close(*, users: Collection[User], now: datetime) -> None:
    """Who belongs to an organization no longer has no role in their personal project there either.

    The project stays, for the organization's admins to look through. A deactivated person keeps it, in case of return.
    In the caller's transaction, which holds the organization's lock.
    """
    active = [user for user in users if user.is_active]
    for project in Project.objects.filter(personal_of__in=active).select_related("personal_of"):
        person = project.personal_of
        if person is None or organizations_where(person, "organization.view").filter(pk=project.organization_id):
            continue
        for binding in RoleBinding.objects.filter(user=person, project=project):
            role_remove(actor=_ACTOR, binding=binding, action="role.take", now=now)


def personal_project_reopen(*, project: Project, user: User, now: datetime) -> None:
    """Gives somebody who came back their personal project again. The caller holds the organization's lock."""
    if not RoleBinding.objects.filter(user=user, project=project, role="admin").exists():
        role_put(actor=_ACTOR, subject=user, role="admin", scope=project, now=now)
