"""What moves of tests choose about whatever does not move as it is, where a test is about something else."""

from typing import Final

CHOSEN: Final = {
    "volumes": "recreate-empty",
    "jobs": "restart",
    "pods": "recreate",
    "outside": "proceed",
    "node-ports": "renumber",
    "addresses": "keep",
    "names": "proceed",
    "tokens": "reissue",
}
