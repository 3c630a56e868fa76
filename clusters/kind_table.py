"""The table of kinds as a page for people: docs/operation-kinds.md."""

from clusters.kinds import HOST_KINDS, MEETINGS, UNLOCKED_KINDS, VIRTUAL_CLUSTER_KINDS, Meeting
from clusters.models import OperationKind

_HEAD = """# What happens when operations meet

This page is made from `clusters/kinds.py` by `manage.py render_kinds`; `make check` fails when they differ.

Of the operations of one object one is at work at a time. What becomes of a new one that is asked for meanwhile stands
in these tables: a row for the new one, a column for the last of those that are ahead of it. One that is already being
aborted counts as gone, but the new one still begins only when it has ended.
"""

_WORDS = {
    Meeting.QUEUE: "waits for its turn",
    Meeting.QUEUE_ONCE: "waits for its turn, unless one of its kind waits already: that one is answered instead (200)",
    Meeting.SUPERSEDE: "takes its place: that one is aborted between two steps (at once where it was still waiting for "
    "its turn), then the new one runs",
    Meeting.NO_OP: "is not begun: that one does what is asked already, and is answered instead (200)",
    Meeting.REFUSE: "is refused (409) with the id of the one that is in the way",
}


def kind_table_render() -> str:
    """The page's text."""
    return "\n".join(
        [
            _HEAD,
            *(f"- **{meeting}**: the new one {_WORDS[meeting]}." for meeting in Meeting),
            "\n## Of a virtual cluster\n",
            _table(VIRTUAL_CLUSTER_KINDS),
            "\n## Of a host cluster\n",
            _table(HOST_KINDS),
            "\n## Beside all others\n",
            "These change nothing that another operation of their object leans on, so they wait for none: "
            + ", ".join(f"`{kind}`" for kind in UNLOCKED_KINDS)
            + ".",
            "",
        ]
    )


def _table(kinds: tuple[OperationKind, ...]) -> str:
    lines = [f"| new | {' | '.join(f'while `{kind}`' for kind in kinds)} |", f"|---|{'---|' * len(kinds)}"]
    for new in kinds:
        lines.append(f"| `{new}` | {' | '.join(MEETINGS[new, active] for active in kinds)} |")
    return "\n".join(lines)
