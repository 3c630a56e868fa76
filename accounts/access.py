"""Who may do what: the one place where that is asked. It reads guardian's rows, which come from role bindings.

Platform staff and superusers get nothing here by being so: a tenant's object is seen by those who have a role in it.
What a request's token leaves of what its holder may (`user.limits`) is intersected here, and nowhere else.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import UUID

from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from accounts.errors import NotAllowed, NotFound
from accounts.models import (
    Organization,
    OrganizationGroupPermission,
    OrganizationUserPermission,
    Project,
    ProjectGroupPermission,
    ProjectUserPermission,
    User,
    VirtualClusterGroupPermission,
    VirtualClusterUserPermission,
)
from accounts.roles import CLUSTER_ACTIONS, ORGANIZATION_ACTIONS, PROJECT_ACTIONS, roles_that_may

if TYPE_CHECKING:
    from accounts.services.audit import Actor

_ANYBODY: Final = UUID(int=0)
_ANY: Final = "any"
"""In what is compiled once, instead of whom and which action it is asked for."""
UNSEEN: Final = "There is no such object, or you have no role that shows it."
"""Said of what is not there and of what somebody may not see: the answers must not differ."""


class InProject(Protocol):
    """A virtual cluster: it lives in a project, and roles can be given for it alone."""

    @property
    def pk(self) -> Any: ...

    @property
    def project(self) -> Project: ...


Scope = Organization | Project | InProject


# The rows are asked for directly, not through guardian's get_objects_for_user: it was measured at a sixth of the speed
# and cannot tell one action's permission on an organization from the one of the same name on a project.


def organizations_where(user: User, action: str) -> QuerySet[Organization]:
    """The organizations in which a role of the organization itself gives `action`."""
    if user.limits is not None and (user.limits.projects or not user.limits.allow(action)):
        return Organization.objects.none()
    return _organizations_by_role(user, action)


def _organizations_by_role(user: User, action: str) -> QuerySet[Organization]:
    if action not in ORGANIZATION_ACTIONS or not user.is_active:
        return Organization.objects.none()
    return Organization.objects.filter(
        _by_role(user, action, "pk", OrganizationUserPermission, OrganizationGroupPermission)
    )


def _by_role(user: User, action: str, column: str, of_user: type[Model], of_team: type[Model]) -> Q:
    """Of rows whose column of this name is in one of these tables: those that the user has `action` for, or a team."""
    given = (_given(of_user, "user", user, action), _given(of_team, "group__user", user, action))
    return Q(**{f"{column}__in": given[0]}) | Q(**{f"{column}__in": given[1]})


def _given(table: type[Model], holder: str, user: User, action: str) -> RawSQL:
    """What this table says that the user has `action` for; `holder` is the path from its rows to users."""
    sql, marks = _given_sql(table, holder)
    wanted = [user.pk if mark == _ANYBODY else action for mark in marks]
    return RawSQL(sql, wanted)  # noqa: S611 - the text is Django's own, whoever asks


@cache
def _given_sql(table: type[Model], holder: str) -> tuple[str, tuple[Any, ...]]:
    """Compiled once: Django takes longer to build and compile such a query, several of them for each request, than

    PostgreSQL to answer it.
    """
    rows = table._default_manager.filter(_not_ended(), **{holder: _ANYBODY, "permission__codename": _ANY})
    sql, marks = rows.values("content_object").query.sql_with_params()
    if sorted(map(str, marks)) != sorted([str(_ANYBODY), _ANY]):
        raise AssertionError(f"only holder and action may be filled in, not {marks}")
    return sql, marks


def projects_where(user: User, action: str) -> QuerySet[Project]:
    """The projects in which the user may do `action`, by a role in the project or in its organization."""
    if action not in PROJECT_ACTIONS or not user.is_active or not token_allows(user, action):
        return Project.objects.none()
    given = _by_role(user, action, "pk", ProjectUserPermission, ProjectGroupPermission)
    if action in ORGANIZATION_ACTIONS:  # asked of the rows themselves: one table less to plan for in every list
        given |= _by_role(user, action, "organization", OrganizationUserPermission, OrganizationGroupPermission)
    found = Project.objects.filter(given)
    return found.filter(pk__in=user.limits.projects) if user.limits and user.limits.projects else found


def in_reach(user: User, action: str, *, project: str = "project", cluster: str = "pk") -> Q:
    """Of rows that belong to a project and a virtual cluster (columns of these names): what `action` is given for,

    by a role in the project or its organization, or for that cluster alone.
    """
    found = Q(**{f"{project}__in": projects_where(user, action).values("pk")})
    if action not in CLUSTER_ACTIONS or not user.is_active or not token_allows(user, action):
        return found
    alone = _by_role(user, action, cluster, VirtualClusterUserPermission, VirtualClusterGroupPermission)
    if user.limits and user.limits.projects:
        alone &= Q(**{f"{project}__in": user.limits.projects})
    return found | alone


def held(action: str, *, user: str = "user", project: str = "project", cluster: str = "virtual_cluster") -> Q:
    """The same question asked of many at once. Of rows that name a user, a project and a virtual cluster (columns of

    these names): those whose user may do `action` there, whatever token anybody came with.
    """
    organization = f"{project}__organization"
    tables: tuple[tuple[Any, str, str], ...] = (
        (ProjectUserPermission, "user", project),
        (ProjectGroupPermission, "group__user", project),
        (OrganizationUserPermission, "user", organization),
        (OrganizationGroupPermission, "group__user", organization),
        (VirtualClusterUserPermission, "user", cluster),
        (VirtualClusterGroupPermission, "group__user", cluster),
    )
    found = Q()
    for table, holder, scope in tables:
        where = {holder: OuterRef(user), "content_object": OuterRef(scope), "permission__codename": action}
        found |= Q(Exists(table.objects.filter(_not_ended(), **where)))
    return found & Q(**{f"{user}__is_active": True})


def token_allows(user: User, action: str) -> bool:
    """Whether the token of the request leaves its holder this action at all."""
    return user.limits is None or user.limits.allow(action)


def platform_staff(user: User) -> bool:
    """Whether the user acts with the powers of platform staff: the one place where that is asked."""
    return user.is_staff and user.is_active and (user.limits is None or user.limits.platform)


def tombstones_told(user: User, *, in_project: str, in_organization: str = "") -> Q:
    """Of tombstones: those of what lived where the user may do these actions."""
    told = Q(project_id__in=projects_where(user, in_project).values("pk")) | Q(
        project_id__isnull=False, organization_id__in=organizations_where(user, in_project).values("pk")
    )
    if not in_organization:
        return told
    seen = organizations_where(user, in_organization)
    return told | Q(project_id__isnull=True, organization_id__in=seen.values("pk"))


def _not_ended() -> Q:
    """A role ends at its time, also while nobody is there to clear its rows away."""
    return Q(expires_at=None) | Q(expires_at__gt=Now())


def allowed(user: User, action: str, scope: Scope) -> bool:
    """Whether the user may do `action` to this object."""
    if isinstance(scope, Organization):
        return organizations_where(user, action).filter(pk=scope.pk).exists()
    if isinstance(scope, Project):
        return projects_where(user, action).filter(pk=scope.pk).exists()
    cluster = type(scope)._default_manager  # type: ignore[attr-defined]
    return bool(cluster.filter(in_reach(user, action), pk=scope.pk).exists())


def require(user: User, action: str, scope: Scope, *, seen: bool = False) -> None:
    """Lets pass who may.

    Else NotFound where the object is not even seen, and NotAllowed, with the roles that it takes, where it is. `seen`:
    something of it was shown to them already, without a role in it (a team's members see the team).
    """
    if allowed(user, action, scope):
        return
    if not seen and not allowed(user, _view_action(scope), scope):
        raise NotFound(UNSEEN)
    kind = "organization" if isinstance(scope, Organization) else "project"
    roles = [role for role in roles_that_may(action) if kind == "project" or role.startswith("organization ")]
    raise NotAllowed(
        f"You may not do {action} here.",
        hint=f"It takes one of these roles: {', '.join(roles)}. An admin of the {kind} can give it.",
        action=action,
        subject=scope,
    )


def actor_require(actor: "Actor", action: str, scope: Scope) -> None:
    """As `require`, for who acts. Marina itself, and platform staff in the admin site, need no role."""
    if actor.user is not None and not actor.platform:
        require(actor.user, action, scope)


def staff_require(actor: "Actor", what: str) -> None:
    """Lets pass platform staff and Marina itself; `what` completes "Only platform staff may ..."."""
    if actor.user is not None and not platform_staff(actor.user):
        raise NotAllowed(f"Only platform staff may {what}.", hint="Ask your platform team.")


def _view_action(scope: Scope) -> str:
    if isinstance(scope, Organization):
        return "organization.view"
    return "project.view" if isinstance(scope, Project) else "virtualcluster.view"
