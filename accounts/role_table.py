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
operations; none of this comes with that: without a role they see no organization, project or virtual cluster.

What somebody may not see answers as if it were not there (404). What they see but may not do is refused with the names
of the roles that may (403).
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
            "",
        ]
    )


def _table(actions: Sequence[str], roles: Mapping[str, frozenset[str]]) -> str:
    lines = [f"| action | {' | '.join(roles)} |", f"|---|{':-:|' * len(roles)}"]
    for action in actions:
        marks = ["yes" if action in allowed else "" for allowed in roles.values()]
        lines.append(f"| `{action}` | {' | '.join(marks)} |")
    return "\n".join(lines)
