"""What rollouts and maintenance windows do to one cluster: the one place where they meet upgrades and moves."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Protocol

from accounts.errors import Conflict
from accounts.services.audit import Actor
from clusters.models import HostCluster, RolloutAction, VirtualCluster
from clusters.move_target import move_target
from clusters.move_wish import MoveWish
from clusters.rollouts.wish import RolloutWish
from clusters.services.migrating import virtual_cluster_migrate
from clusters.services.upgrading import VersionChange, virtual_cluster_upgrade
from clusters.services.virtual_clusters import ClusterWork
from clusters.upgrade_choices import UPGRADE_CHOICES


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
    change = VersionChange(kubernetes_version=wish.kubernetes_version or None, chart_version=wish.chart_version or None)
    choices = {name: chosen for name, chosen in wish.choices.items() if name in UPGRADE_CHOICES}
    return virtual_cluster_upgrade(
        virtual_cluster=virtual_cluster, actor=actor, now=now, change=change, choices=choices
    )


def move_begin(*, virtual_cluster: VirtualCluster, actor: Actor, now: datetime, wish: RolloutWish) -> ClusterWork:
    """A move to the wish's host; back to what it left there lately, where it can go there in no other way."""
    host = HostCluster.objects.filter(pk=wish.to).first() if wish.to else None
    if wish.to and host is None:
        raise Conflict(f"The host {wish.to_name} is not there any more.")
    move = MoveWish(to=host, choices=dict(wish.choices))
    if move_target(cluster=virtual_cluster, wish=move, now=now).refusals:
        back = MoveWish(back=True, choices=move.choices)
        found = move_target(cluster=virtual_cluster, wish=back, now=now)
        if not found.refusals and (host is None or found.host == host):
            move = back
    return virtual_cluster_migrate(virtual_cluster=virtual_cluster, actor=actor, now=now, move=move)


_BEGINS: Final[dict[str, Begin]] = {RolloutAction.UPGRADE: upgrade_begin, RolloutAction.MIGRATE: move_begin}


def begins() -> Mapping[str, Begin]:
    """By action."""
    return _BEGINS
