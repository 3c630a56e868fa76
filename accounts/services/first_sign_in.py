"""So that a new person is not stranded: a project of their own in each organization that gives one."""

from datetime import datetime
from itertools import chain, count
from typing import Final

from django.db import transaction
from django.db.models import Q

from accounts.access import organizations_where
from accounts.models import Organization, Project, RoleBinding, User
from accounts.services.audit import Actor, audit_record
from accounts.services.permissions import organization_lock
from accounts.services.personal_projects import personal_project_reopen
from accounts.services.role_giving import role_put
from accounts.services.rows import row_save
from accounts.token_scope import without_limits

_NAME_LENGTH: Final = 40
_ACTOR: Final = Actor(user=None, name="marina")


@transaction.atomic
def first_sign_in(*, user: User, now: datetime) -> list[Project]:
    """Makes the personal project in each organization of the user that has them on; gives the new ones.

    Its name is the handle, with a number where that is taken. Asked again it makes nothing more.
    """
    if user.is_service_account or not user.is_active:
        return []
    wanting = organizations_where(without_limits(user), "organization.view").filter(personal_projects=True)
    mine = Q(user=user, role="admin", project__personal_of=user)
    has = RoleBinding.objects.filter(mine, Q(expires_at=None)).values("project__organization")
    without = wanting.exclude(pk__in=has).order_by("pk")
    return [made for each in without if (made := _personal_project(user, each, now))]


def _personal_project(user: User, organization: Organization, now: datetime) -> Project | None:
    locked = organization_lock(organization)  # of two sign-ins at once the second finds what the first made
    there = Project.objects.filter(organization=locked, personal_of=user).first()
    if there is not None:
        personal_project_reopen(project=there, user=user, now=now)
        return None
    project = Project(
        organization=locked,
        name=_free_name(user.handle, locked),
        display_name=f"Personal project of {user.get_short_name()}"[:150],
        created_by=user,
        personal_of=user,
        cluster_limit=locked.personal_project_clusters,
        cluster_lifetime_days=locked.personal_project_lifetime_days,
    )
    row_save(project, taken=f"{locked.name} has a project {project.name} already.")
    role_put(actor=_ACTOR, subject=user, role="admin", scope=project, now=now)
    audit_record(
        actor=_ACTOR,
        action="project.create",
        kind="project",
        object_id=project.pk,
        name=str(project),
        organization_id=locked.pk,
        details={"personal_of": user.handle},
    )
    return project


def _free_name(handle: str, organization: Organization) -> str:
    taken = set(Project.objects.filter(organization=organization, name__startswith=handle[:30]).values_list("name"))
    numbered = (f"{handle[: _NAME_LENGTH - len(str(n)) - 1].rstrip('-')}-{n}" for n in count(2))
    return next(name for name in chain([handle], numbered) if (name,) not in taken)
