"""The roles that can be given in an organization and in what is in it: the built-in ones, and its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from accounts.access import organizations_where, projects_where
from accounts.models import Organization, Role, User
from accounts.roles import (
    BUILT_IN_ROLES,
    CLUSTER_ACTIONS,
    CLUSTER_ROLES,
    ORGANIZATION_ACTIONS,
    ORGANIZATION_ROLES,
    PROJECT_ACTIONS,
    PROJECT_ROLES,
    kubeconfig_level,
)
from accounts.selectors import uuid_of

_TABLES: Final = (
    ("organization", ORGANIZATION_ROLES),
    ("project", PROJECT_ROLES),
    ("virtual-cluster", CLUSTER_ROLES),
)
_ACTIONS: Final = (
    ("organization", ORGANIZATION_ACTIONS),
    ("project", PROJECT_ACTIONS),
    ("virtual-cluster", CLUSTER_ACTIONS),
)
_DESCRIPTIONS: Final = {
    "member": "Belongs to the organization, and makes projects of their own.",
    "auditor": "Sees everything, including the audit log, and changes nothing.",
    "viewer": "Sees a project and looks into its clusters.",
    "developer": "Makes, changes and deletes clusters.",
    "admin": "May do everything there.",
}


@dataclass(frozen=True)
class ListedRole:
    """A role as people see it. What is not of the organization's own has no id and cannot be changed."""

    name: str
    description: str
    actions: tuple[str, ...]
    scopes: tuple[str, ...]
    """Where it can be given."""
    built_in: bool = False
    id: UUID | None = None
    bindings: int | None = None
    """How many have it; None: not counted."""
    created_at: datetime | None = None

    @property
    def kubeconfig_level(self) -> str:
        """The most that a kubeconfig by it gives inside a cluster."""
        return kubeconfig_level(self.actions)


def roles_listed(organization: Organization) -> list[ListedRole]:
    """The built-in ones from the weakest to the strongest, then the organization's own by name. One query."""
    return [*built_in_roles(), *(role_listed(role) for role in _counted(organization).order_by("name"))]


def built_in_roles() -> Iterator[ListedRole]:
    """Those that every organization has, as the role table says."""
    for name in BUILT_IN_ROLES:
        actions = frozenset[str]().union(*(table.get(name, ()) for _, table in _TABLES))
        yield ListedRole(
            name=name,
            description=_DESCRIPTIONS[name],
            actions=tuple(action for action in ORGANIZATION_ACTIONS if action in actions),
            scopes=tuple(scope for scope, table in _TABLES if name in table),
            built_in=True,
        )


def role_listed(role: Role) -> ListedRole:
    """One of the organization's own."""
    actions = frozenset(role.actions)
    return ListedRole(
        id=role.pk,
        name=role.name,
        description=role.description,
        actions=tuple(role.actions),
        scopes=tuple(scope for scope, known in _ACTIONS if actions & frozenset(known)),
        bindings=getattr(role, "people", None),
        created_at=role.created_at,
    )


def role_found(organization: Organization, text: str) -> Role | None:
    """The organization's own role with this id or name."""
    key = uuid_of(text)
    return _counted(organization).filter(Q(name=text) if key is None else Q(pk=key)).first()


def roles_seen_in(user: User) -> QuerySet[Organization]:
    """Whoever sees an organization, or a project of it, sees what its roles mean."""
    projects = projects_where(user, "project.view").values("organization")
    organizations = organizations_where(user, "organization.view").values("pk")
    return Organization.objects.filter(Q(pk__in=organizations) | Q(pk__in=projects))


def _counted(organization: Organization) -> QuerySet[Role]:
    return Role.objects.filter(organization=organization).annotate(people=Count("bindings"))
