"""What whoever moves a virtual cluster has to choose where it applies: one table, with what each choice means."""

from collections.abc import Mapping
from typing import Final

from clusters.moving import (
    ACCEPT,
    ADDRESSES,
    ADDRESSES_KEEP,
    ADDRESSES_REMOVE,
    DIFFERENCES,
    JOBS_WAIT,
    NAMES,
    NODE_PORTS,
    PODS_LEAVE,
    PODS_RECREATE,
    PORTS_RENUMBER,
    TOKENS,
    TOKENS_REISSUE,
    UNFROZEN,
    VOLUMES_EMPTY,
)

PROCEED: Final = "proceed"

MOVE_CHOICES: Final[Mapping[str, Mapping[str, str]]] = {
    "volumes": {
        VOLUMES_EMPTY: "The claims are made again with new, empty volumes. What the old ones hold stays at the source "
        "until that is removed, and is lost then.",
        # waiting for volumes to be copied comes here once they can be
    },
    "jobs": {
        "restart": "They end at the source and begin anew at the target: what they did so far is done again.",
        JOBS_WAIT: "The move waits before it begins until they have ended.",
    },
    "pods": {
        PODS_RECREATE: "They end at the source, and are made again at the target.",
        PODS_LEAVE: "They end at the source, and are not made again.",
    },
    "outside": {
        PROCEED: "What they stand for outside the cluster is made or changed anew by their controllers at the target.",
    },
    NODE_PORTS: {
        PORTS_RENUMBER: "The target gives numbers of its own: people change what leads to the old ones. A "
        "way back finds those of before.",
    },
    ADDRESSES: {
        ADDRESSES_KEEP: "They are carried as they are; whether the target serves them is up to its network.",
        ADDRESSES_REMOVE: "The copies are made without them. A way back brings none of them again.",
    },
    NAMES: {
        PROCEED: "They are carried as they are. Once it has moved, people lead to the target what leads to them (DNS, "
        "balancers, firewalls).",
    },
    TOKENS: {
        TOKENS_REISSUE: "The Secrets are made again under their names, with new tokens. Whoever uses an old one from "
        "outside is given the new one.",
    },
    UNFROZEN: {
        PROCEED: "While it is moved, people cannot write, and programs inside it can: what these write meanwhile may "
        "be lost.",
    },
    # found by no preflight: where the copy was compared, and somebody looked at what is not the same
    DIFFERENCES: {ACCEPT: "What is not the same at the target is taken as it is there."},
}
"""By the name of the choice: its options, each with what it means."""

STOP_FIRST: Final = "stop-first"
START_FIRST: Final = "start-first"
MOVE_ORDERS: Final = (STOP_FIRST, START_FIRST)
"""What can be asked for a workload: whether it stops at the source first, or starts at the target first."""
