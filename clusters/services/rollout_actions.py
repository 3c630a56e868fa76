"""What rollouts and maintenance windows do to one cluster: the one place where they meet upgrades and moves."""

from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from typing import Final, Protocol

from accounts.errors import Conflict
from accounts.services.audit import Actor
from clusters.models import HostCluster, RolloutAction, VirtualCluster
from clusters.rollouts.wish import RolloutWish
from clusters.services.virtual_clusters import ClusterWork


class Begin(Protocol):
    """Begins it for one cluster, in the caller's transaction.

    Raises Conflict with the operation's id where one is in the way that ends by itself, and another MarinaError where
    it cannot be done.
    """

    def __call__(
        self, *, virtual_cluster: VirtualCluster, actor: Actor, now: datetime, wish: RolloutWish
    ) -> ClusterWork: ...


def upgrade_begin(*, virtual_cluster: VirtualCluster, actor: Actor, now: datetime, wish: RolloutWish) -> ClusterWork:
    """An upgrade to the wish's versions."""
    upgrading = import_module("clusters.services.upgrading")
    change = upgrading.VersionChange(kubernetes_version=wish.kubernetes_version, chart_version=wish.chart_version)
    work: ClusterWork = upgrading.virtual_cluster_upgrade(
        virtual_cluster=virtual_cluster, actor=actor, now=now, change=change, choices=dict(wish.choices)
    )
    return work


def move_begin(*, virtual_cluster: VirtualCluster, actor: Actor, now: datetime, wish: RolloutWish) -> ClusterWork:
    """A move to the wish's host."""
    migrating = import_module("clusters.services.migrating")
    host = HostCluster.objects.filter(pk=wish.to).first() if wish.to else None
    if wish.to and host is None:
        raise Conflict(f"The host {wish.to_name} is not there any more.")
    move = migrating.MoveWish(to=host, choices=dict(wish.choices))
    work: ClusterWork = migrating.virtual_cluster_migrate(
        virtual_cluster=virtual_cluster, actor=actor, now=now, move=move
    )
    return work


_BEGINS: Final[dict[str, Begin]] = {RolloutAction.UPGRADE: upgrade_begin, RolloutAction.MIGRATE: move_begin}


def begins() -> Mapping[str, Begin]:
    """By action."""
    return _BEGINS
