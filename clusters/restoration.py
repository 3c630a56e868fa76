"""What the operation `restore` keeps in its params: what was asked for, how far it is, and what came of it."""

from typing import Final

EXPORT: Final = "export"
"""The id of the export."""
OVERWRITE: Final = "overwrite"
"""Whether what is there already and differs is brought to what was exported."""
PROGRESS: Final = "restore_progress"
"""See provisioning/exports/progress.py; gone once it is over."""
RESULT: Final = "restored"
"""Counts by what is said of the objects, and a list of those that are not as they were exported."""
