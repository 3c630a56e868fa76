"""Deleting for good: what a deletion is told, and how far one has gone."""

from typing import Final

from clusters.models import Operation

PURGE: Final = "purge"
"""In a `delete` operation's params: it is to go without an export."""
EXPORT_STEP: Final = "export-objects"
"""The key of the step that exports, before which a deletion takes nothing away."""
_BEGUN: Final = ("current", "done", "failed")


def took_something(deletion: Operation) -> bool:
    """Whether it began to take anything away, so that what was in the cluster may be gone."""
    return any(step["key"] != EXPORT_STEP and step["state"] in _BEGUN for step in deletion.steps)
