"""What it means for a virtual cluster to be asleep or awake: its columns and its condition Ready, in one place."""

from datetime import datetime
from typing import Final

from clusters.models import Condition, VirtualCluster, VirtualClusterPhase, condition_set

SLEEP_FIELDS: Final = ("phase", "conditions", "sleeping", "asleep_since", "asleep_by", "asleep_why")


def falls_asleep(cluster: VirtualCluster, now: datetime, *, by: str, why: str) -> None:
    """Writes it down. `by` is who or what put it to sleep, in words; "" where nobody knows."""
    cluster.phase, cluster.sleeping = VirtualClusterPhase.ASLEEP, True
    cluster.asleep_since, cluster.asleep_by, cluster.asleep_why = now, by, why
    message = f"It is asleep{f', put to sleep by {by}' if by else ''}. Wake it with `marina wake {cluster.name}`."
    _ready(cluster, now, Condition(type="Ready", status="False", reason="Asleep", message=message))


def wakes(cluster: VirtualCluster, now: datetime) -> None:
    """Writes it down."""
    cluster.phase, cluster.sleeping = VirtualClusterPhase.READY, False
    cluster.asleep_since, cluster.asleep_by, cluster.asleep_why = None, "", ""
    _ready(cluster, now, Condition(type="Ready", status="True", reason="Awake", message="Its API answers."))


def _ready(cluster: VirtualCluster, now: datetime, condition: Condition) -> None:
    cluster.conditions = condition_set(cluster.conditions, condition, now=now)
    cluster.save(update_fields=list(SLEEP_FIELDS))
