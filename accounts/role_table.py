"""The role table as a page for people: docs/permissions.md."""

from collections.abc import Mapping, Sequence

from accounts.roles import (
    CLUSTER_ACTIONS,
    CLUSTER_ROLES,
    ORGANIZATION_ACTIONS,
    ORGANIZATION_ROLES,
    PROJECT_ACTIONS,
    PROJECT_ROLES,
)

_HEAD = """# Who may do what

This page is made from `accounts/roles.py` by `manage.py render_permissions`; `make check` fails when they differ.

A role is given to a user, a team or a service account, in an organization, in a project or for a single virtual
cluster, with an end or without. What a role of an
organization allows holds in every project of that organization. Roles add up. Platform staff operate hosts and see
the operations of hosts; none of this comes with that: without a role they see no organization, project or virtual
cluster, and no operation of one. Where that has to be, they [break the glass](people.md#breaking-the-glass); the
administration site shows every operation to superusers.

What somebody may not see answers as if it were not there (404). What they see but may not do is refused with the names
of the roles that may (403).
"""

_OWN = """
## Roles of an organization's own

Beside these, an organization defines roles of its own: a name and a set of the actions above.

    marina role list --organization acme
    marina role create deployer --organization acme --action virtualcluster.view --action virtualcluster.update \\
      --action operation.view --action operation.retry
    marina role update deployer --organization acme --action virtualcluster.view
    marina role delete deployer --organization acme [--take]

Such a role is given wherever a built-in one is: in the organization, in a project or for one cluster; to users, teams
and service accounts; by invitations, group mappings and accepted requests to join. It allows there those of its
actions that can be done there. Inside clusters it gives what its kubeconfig actions say, under the same ceilings. Its
name stays.

- Whoever holds `organization.members` defines, changes and deletes roles: never one with an action that they do not
  hold in the organization themselves, nor one that had such an action before. The powers of platform staff are in no
  role.
- Nobody gives, prolongs or takes a role with more than they have themselves where it holds, built-in or not. That
  goes for who puts people into a team, lets a group in, invites, or makes tokens of a service account of their
  project as well; an invitation is worth what its maker may still give. Who has something until some time does not
  prolong it for themselves.
- A change of a role's actions holds at once for everybody who has it. Who lost sight of a cluster by it hands it
  over.
- A role that is in use is not deleted, unless told to take it from everybody first.
- Whoever holds `project.create` or `project.create.own` is admin of the projects that they make. Nobody takes a
  cluster to a project in which they may do more to it than before.
- When a cluster goes to another organization, roles for it alone that are the first one's own end.
"""


def role_table_render() -> str:
    """The page's text."""
    return "\n".join(
        [
            _HEAD,
            "## Roles in an organization\n",
            _table(ORGANIZATION_ACTIONS, ORGANIZATION_ROLES),
            "\n## Roles in a project\n",
            _table(PROJECT_ACTIONS, PROJECT_ROLES),
            "\n## Roles for a single virtual cluster\n",
            _table(CLUSTER_ACTIONS, CLUSTER_ROLES),
            _OWN,
        ]
    )


def _table(actions: Sequence[str], roles: Mapping[str, frozenset[str]]) -> str:
    lines = [f"| action | {' | '.join(roles)} |", f"|---|{':-:|' * len(roles)}"]
    for action in actions:
        marks = ["yes" if action in allowed else "" for allowed in roles.values()]
        lines.append(f"| `{action}` | {' | '.join(marks)} |")
    return "\n".join(lines)
