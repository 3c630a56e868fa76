"""The role table: which role may do what. It is data; services derive guardian's rows from it and tests walk it.

An action of a project given by an organization's role holds in every project of that organization.
"""

from collections.abc import Iterable, Mapping
from typing import Final

# What can be done to an organization itself.
ORGANIZATION_ONLY_ACTIONS: Final = (
    "organization.view",
    "organization.update",
    "organization.delete",
    "organization.members",
    "organization.audit",
    "team.manage",
    "project.create",
    "project.create.own",
    "host.view",
    "host.connect",
    "host.update",
    "host.disconnect",
)

# What can be done to a project and to what lives in it.
PROJECT_ACTIONS: Final = (
    "project.view",
    "project.update",
    "project.delete",
    "project.members",
    "serviceaccount.manage",
    "virtualcluster.view",
    "virtualcluster.create",
    "virtualcluster.update",
    "virtualcluster.delete",
    "virtualcluster.sleep",
    "virtualcluster.wake",
    "virtualcluster.lifecycle",
    "virtualcluster.export",
    "virtualcluster.export.read",
    "virtualcluster.upgrade",
    "virtualcluster.migrate",
    "virtualcluster.rollout",
    "virtualcluster.share",
    "virtualcluster.transfer",
    "virtualcluster.ceiling",
    "virtualcluster.kubeconfig.view",
    "virtualcluster.kubeconfig.admin",
    "operation.view",
    "operation.retry",
    "operation.abort",
)

ORGANIZATION_ACTIONS: Final = ORGANIZATION_ONLY_ACTIONS + PROJECT_ACTIONS

# What can be done to a single virtual cluster, and so be given for it alone.
CLUSTER_ACTIONS: Final = tuple(
    action
    for action in PROJECT_ACTIONS
    if action.startswith(("virtualcluster.", "operation.")) and action != "virtualcluster.create"
)

_PROJECT_VIEWER: Final = frozenset(
    # whoever may use a cluster may wake it
    {"project.view", "virtualcluster.view", "virtualcluster.wake", "virtualcluster.kubeconfig.view", "operation.view"}
)
_PROJECT_DEVELOPER: Final = _PROJECT_VIEWER | {
    "virtualcluster.create",
    "virtualcluster.update",
    "virtualcluster.delete",
    "virtualcluster.sleep",
    "virtualcluster.lifecycle",
    "virtualcluster.export",
    # an export holds the cluster's secrets, which a developer can read inside it
    "virtualcluster.export.read",
    "virtualcluster.upgrade",
    # inside, a developer is cluster-admin and could let others in anyway; so it is better done where it is seen
    "virtualcluster.share",
    "virtualcluster.kubeconfig.admin",
    "operation.retry",
    "operation.abort",
}

PROJECT_ROLES: Final[Mapping[str, frozenset[str]]] = {
    "viewer": _PROJECT_VIEWER,
    "developer": _PROJECT_DEVELOPER,
    "admin": frozenset(PROJECT_ACTIONS),
}

CLUSTER_ROLES: Final[Mapping[str, frozenset[str]]] = {
    role: actions & frozenset(CLUSTER_ACTIONS) for role, actions in PROJECT_ROLES.items()
}

# The built-in roles by name, with all that each allows in the widest scope in which it can be given.
BUILT_IN_ROLES: Final[tuple[str, ...]] = ("member", "auditor", "viewer", "developer", "admin")

# What an action is of no use without: for each beginning of an action's name, what has to be seen.
_SEEN_BY: Final = (
    ("virtualcluster.", "virtualcluster.view"),
    ("virtualcluster.create", "project.view"),
    ("virtualcluster.kubeconfig.admin", "virtualcluster.kubeconfig.view"),
    ("operation.", "operation.view"),
    ("serviceaccount.", "project.view"),
    ("project.update", "project.view"),
    ("project.delete", "project.view"),
    ("project.members", "project.view"),
    ("project.create", "organization.view"),
    ("team.", "organization.view"),
    ("organization.", "organization.view"),
    ("host.", "host.view"),
)

# Never given by breaking the glass: what would outlive it.
PASSING_ON: Final = frozenset({"virtualcluster.share", "virtualcluster.transfer", "virtualcluster.ceiling"})

ORGANIZATION_ROLES: Final[Mapping[str, frozenset[str]]] = {
    # a member makes as many projects of their own as the organization says (member_projects)
    "member": frozenset({"organization.view", "project.create.own", "host.view"}),
    # sees everything, including the audit log, and changes nothing; no kubeconfig
    "auditor": frozenset(
        {
            "organization.view",
            "organization.audit",
            "host.view",
            "project.view",
            "virtualcluster.view",
            "operation.view",
        }
    ),
    "admin": frozenset(ORGANIZATION_ACTIONS),
}


def roles_that_may(action: str) -> list[str]:
    """The roles that hold an action, as people write them ("project developer"), for the refusal's sentence."""
    project = [f"project {role}" for role, actions in PROJECT_ROLES.items() if action in actions]
    organization = [f"organization {role}" for role, actions in ORGANIZATION_ROLES.items() if action in actions]
    return project + organization


def actions_missing(actions: Iterable[str]) -> dict[str, str]:
    """What these are of no use without, each with one of them that needs it."""
    given = sorted(set(actions))
    needed = {other: action for action in given for start, other in _SEEN_BY if action.startswith(start)}
    return {other: action for other, action in needed.items() if other not in given}


def kubeconfig_level(actions: Iterable[str]) -> str:
    """The most that kubeconfigs give inside a virtual cluster to who may do this: admin, view or none."""
    given = frozenset(actions)
    for level in ("admin", "view"):
        if f"virtualcluster.kubeconfig.{level}" in given:
            return level
    return "none"
