"""What is meant by a role's name in an organization, a project or for one cluster."""

from dataclasses import dataclass

from accounts.access import Scope
from accounts.actions_held import actions_at
from accounts.errors import InvalidInput
from accounts.models import Organization, Project, Role
from accounts.roles import CLUSTER_ROLES, ORGANIZATION_ROLES, PROJECT_ROLES
from accounts.services.permissions import binding_column, organization_of


@dataclass(frozen=True)
class NamedRole:
    """A role that can be given in a scope, and what it allows there. `custom` is None for a built-in one."""

    name: str
    actions: frozenset[str]
    custom: Role | None = None


def role_named(role: str, scope: Scope) -> NamedRole:
    """The built-in role of this name, else the organization's own. InvalidInput where there is none, or of no use.

    Ask it under the organization's lock where something is given by the answer: a custom role can be changed meanwhile.
    """
    table = built_in_at(scope)
    if role in table:
        return NamedRole(role, table[role])
    custom = Role.objects.filter(organization=organization_of(scope), name=role).first()
    if custom is None:
        raise _no_such_role(role, scope)
    actions = frozenset(custom.actions) & frozenset(actions_at(scope))
    if not actions:
        raise InvalidInput(
            f"The role {role} allows nothing that can be done to {_kind(scope)}.",
            field="role",
            accepted="a role that does",
            hint=f"It allows: {', '.join(custom.actions)}.",
        )
    return NamedRole(role, actions, custom)


def built_in_at(scope: Scope) -> dict[str, frozenset[str]]:
    """The built-in roles that can be given there, each with what it allows."""
    if isinstance(scope, Organization):
        return dict(ORGANIZATION_ROLES)
    return dict(PROJECT_ROLES if isinstance(scope, Project) else CLUSTER_ROLES)


def _no_such_role(role: str, scope: Scope) -> InvalidInput:
    organization = organization_of(scope)
    own = Role.objects.filter(organization=organization).values_list("name", flat=True)[:20]
    return InvalidInput(
        f"{_kind(scope).capitalize()} has no role {role[:40]!r}.",
        field="role",
        accepted=f"one of: {', '.join([*built_in_at(scope), *own])}",
    )


def _kind(scope: Scope) -> str:
    return {"organization": "an organization", "project": "a project"}.get(binding_column(scope), "a cluster")
