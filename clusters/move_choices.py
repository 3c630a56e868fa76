"""What whoever moves a virtual cluster has to choose where it applies: one table, with what each choice means."""

from collections.abc import Mapping
from typing import Final

RECREATE_EMPTY: Final = "recreate-empty"
PROCEED: Final = "proceed"
WAIT: Final = "wait"

MOVE_CHOICES: Final[Mapping[str, Mapping[str, str]]] = {
    "volumes": {
        RECREATE_EMPTY: "The claims are made again with new, empty volumes. What the old ones hold stays at the source "
        "until that is removed, and is lost then.",
        # waiting for volumes to be copied comes here once they can be
    },
    "jobs": {
        "restart": "They end at the source and begin anew at the target: what they did so far is done again.",
        WAIT: "The move waits before it begins until they have ended.",
    },
    "pods": {
        "recreate": "They end at the source, and are made again at the target.",
        "leave": "They end at the source, and are not made again.",
    },
    "outside": {
        PROCEED: "What they stand for outside the cluster is made or changed anew by their controllers at the target.",
    },
    "unfrozen": {
        PROCEED: "While it is moved, people cannot write, and programs inside it can: what these write meanwhile may "
        "be lost.",
    },
}
"""By the name of the choice: its options, each with what it means."""

STOP_FIRST: Final = "stop-first"
START_FIRST: Final = "start-first"
MOVE_ORDERS: Final = (STOP_FIRST, START_FIRST)
"""What can be asked for a workload: whether it stops at the source first, or starts at the target first."""
