"""Clusters with policies, an upgrade that only starts its operation, and a clock."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import Notification
from accounts.services.audit import Actor
from clusters.models import UpgradePolicy, VirtualCluster
from clusters.services.upgrade_policies import upgrade_policy_create
from clusters.services.upgrade_running import upgrades_run
from tests.accounts.conftest import MARINA
from tests.clusters.rollouts.conftest import Fleet, fleet

__all__ = ["Upkeep", "fleet", "told", "upkeep"]

MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)
NIGHT = {"window_cron": "0 2 * * *", "window_seconds": 4 * 3600, "time_zone": "UTC"}
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Upkeep:
    """A fleet, and the schedule that upgrades it by itself."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        fleet.now = MONDAY

    def policy(self, scope, **says) -> UpgradePolicy:
        return upgrade_policy_create(scope=scope, actor=MARINA, says=says)

    def run(self, now: datetime) -> list[str]:
        """What a pass begins."""
        self.fleet.now = now
        before = len(self.fleet.begun)
        upgrades_run(now=now)
        return self.fleet.begun[before:]

    @property
    def actor(self) -> Actor:
        return self.fleet.actors[-1]


@pytest.fixture
def upkeep(fleet, settings) -> Upkeep:
    settings.KUBERNETES_VERSIONS = ["1.36.3", "1.35.6", "1.35.4"]
    settings.KUBERNETES_END_OF_SUPPORT = []
    return Upkeep(fleet)


def fresh(name: str) -> VirtualCluster:
    return VirtualCluster.objects.get(name=name)


def told(kind: str) -> list[Notification]:
    return list(Notification.objects.filter(kind=kind).order_by("pk"))
