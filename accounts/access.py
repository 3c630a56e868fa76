"""Who may do what: the one place where that is asked. It reads guardian's rows, which come from role bindings.

Platform staff and superusers get nothing here by being so: a tenant's object is seen by those who have a role in it.
"""

from typing import Protocol, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from guardian.shortcuts import get_objects_for_user

from accounts.errors import NotAllowed, NotFound
from accounts.models import Organization, Project, User
from accounts.roles import ORGANIZATION_ACTIONS, PROJECT_ACTIONS, roles_that_may

M = TypeVar("M", bound=Model)


class InProject(Protocol):
    """Anything that lives in a project."""

    @property
    def project(self) -> Project: ...


Scope = Organization | Project | InProject


def organizations_where(user: User, action: str) -> QuerySet[Organization]:
    """The organizations in which a role of the organization itself gives `action`."""
    if action not in ORGANIZATION_ACTIONS or not user.is_active:
        return Organization.objects.none()
    return _rows(user, action, Organization)


def projects_where(user: User, action: str) -> QuerySet[Project]:
    """The projects in which the user may do `action`, by a role in the project or in its organization."""
    if action not in PROJECT_ACTIONS or not user.is_active:
        return Project.objects.none()
    own = _rows(user, action, Project).values("pk")
    return Project.objects.filter(Q(pk__in=own) | Q(organization__in=organizations_where(user, action).values("pk")))


def _rows(user: User, action: str, model: type[M]) -> QuerySet[M]:
    permission = f"accounts.{action}"
    found: QuerySet[M] = get_objects_for_user(
        user, permission, klass=model._default_manager.all(), with_superuser=False, accept_global_perms=False
    )
    return found


def allowed(user: User, action: str, scope: Scope) -> bool:
    """Whether the user may do `action` to this object."""
    if isinstance(scope, Organization):
        return organizations_where(user, action).filter(pk=scope.pk).exists()
    project_id: UUID = scope.pk if isinstance(scope, Project) else scope.project.pk
    return projects_where(user, action).filter(pk=project_id).exists()


def require(user: User, action: str, scope: Scope) -> None:
    """Lets pass who may.

    Else NotFound where the object is not even seen, and NotAllowed, with the roles that it takes, where it is.
    """
    if allowed(user, action, scope):
        return
    if not allowed(user, _view_action(scope), scope):
        raise NotFound("There is no such object, or you have no role that shows it.")
    raise NotAllowed(
        f"You may not do {action} here.",
        hint=f"It takes one of these roles: {', '.join(roles_that_may(action))}. An admin of the project can give it.",
    )


def _view_action(scope: Scope) -> str:
    return "organization.view" if isinstance(scope, Organization) else "project.view"
