"""How far a cluster can be kept beyond its date at the moment."""

from datetime import datetime, timedelta
from typing import Final

from clusters.lifecycle.deciding import Plan
from clusters.lifecycle.policy import ResolvedPolicy
from clusters.models import CleanupCause, VirtualCluster

EXTENSION_LEAST: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


def extends_lifetime(cluster: VirtualCluster, plan: Plan | None) -> bool:
    """Whether an extension makes its lifetime longer, rather than that it stays unused for longer."""
    return cluster.expires_at is not None and (plan is None or plan.cause is CleanupCause.LIFETIME)


def lifetime_left(cluster: VirtualCluster, policy: ResolvedPolicy) -> timedelta:
    """By how much its lifetime can still be made longer."""
    return policy.extension_maximum - timedelta(seconds=cluster.lifetime_extended)


def extension_most(cluster: VirtualCluster, plan: Plan | None, policy: ResolvedPolicy, now: datetime) -> timedelta:
    """The longest extension that is taken now; nothing where it is less than the least that one asks for."""
    most = policy.extension_maximum
    if extends_lifetime(cluster, plan) and cluster.expires_at is not None:
        most = min(most, lifetime_left(cluster, policy) - max(now - cluster.expires_at, timedelta()))
    return most if most >= EXTENSION_LEAST else timedelta()


def extension_offered(most: timedelta, wanted: timedelta) -> timedelta:
    """What to offer where so much is possible: the wanted span, else whole days, else whole hours."""
    offered = min(most, wanted)
    return offered - offered % (_DAY if offered >= _DAY else EXTENSION_LEAST)
