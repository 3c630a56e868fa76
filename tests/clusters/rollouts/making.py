"""Rollouts as rows, in whatever state a test begins with."""

from typing import Any

from clusters.models import Rollout, RolloutMember, VirtualCluster
from clusters.rollouts.wish import ClusterSelector, RolloutWish


def rollout_of(**fields: Any) -> Rollout:
    """An upgrade to 1.36.3, not written yet."""
    given = {
        "name": "spring",
        "action": "upgrade",
        "selector": ClusterSelector().as_json(),
        "wish": RolloutWish(kubernetes_version="1.36.3").as_json(),
        "waves": ["1", "100%"],
    }
    return Rollout(**{**given, **fields})


def rollout_row(*clusters: VirtualCluster, **fields: Any) -> Rollout:
    """With these clusters, which wait for their turn."""
    rollout = rollout_of(**fields)
    rollout.save()
    RolloutMember.objects.bulk_create(
        RolloutMember(rollout=rollout, virtual_cluster=each, wave=0, position=position)
        for position, each in enumerate(clusters)
    )
    return rollout
