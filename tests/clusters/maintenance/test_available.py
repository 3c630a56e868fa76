"""Which upgrades there are for a cluster, and why."""

from datetime import UTC, datetime

import pytest

from clusters.lifecycle.support import support_ends
from clusters.lifecycle.upgrades import Reason, Running, target_of, upgrades_available
from clusters.models import UpgradeChannel
from controlplane.checks import settings_check

NOW = datetime(2026, 11, 26, tzinfo=UTC)


@pytest.fixture(autouse=True)
def offered(settings):
    settings.KUBERNETES_VERSIONS = ["1.36.3", "1.35.6", "1.35.4", "1.34.9"]
    settings.CHART_VERSION, settings.CHART_KUBERNETES_VERSIONS = "0.36.1", "1.32-1.36"
    settings.KUBERNETES_END_OF_SUPPORT = ["1.34=2026-10-27", "1.35=2027-02-28"]


def found(kubernetes: str, chart: str = "0.36.1", host: str = "1.36.3") -> list[tuple[Reason, str]]:
    running = Running(kubernetes=kubernetes, chart=chart, host=host)
    return [(each.reason, each.kubernetes or each.chart) for each in upgrades_available(running, now=NOW)]


def test_patches_the_next_minor_and_the_chart_are_told():
    assert found("1.36.3") == []
    assert found("1.35.4") == [(Reason.PATCH, "1.35.6"), (Reason.MINOR, "1.36.3")]
    assert found("1.35.6", chart="0.35.0") == [(Reason.MINOR, "1.36.3"), (Reason.CHART, "0.36.1")]
    assert found("1.36.3", chart="0.37.0") == []


def test_only_one_minor_at_a_time_and_an_end_of_support_comes_first():
    assert found("1.34.9") == [(Reason.SUPPORT, "1.35.6"), (Reason.MINOR, "1.35.6")]


def test_what_the_host_cannot_run_is_told_with_the_reason_and_taken_by_no_channel():
    running = Running(kubernetes="1.35.6", chart="0.36.1", host="1.34.2")
    (minor,) = upgrades_available(running, now=NOW)
    assert "too new for this host" in minor.in_the_way
    assert target_of(UpgradeChannel.MINOR, running) is None


@pytest.mark.parametrize(
    ("channel", "chart", "kubernetes", "chart_to"),
    [
        ("none", "0.35.0", None, None),
        ("patch", "0.36.1", "1.35.6", ""),
        ("patch", "0.35.0", "1.35.6", ""),
        ("patch", "0.36.0", "1.35.6", "0.36.1"),
        ("minor", "0.35.0", "1.36.3", "0.36.1"),
    ],
)
def test_a_channel_takes_what_it_says(channel, chart, kubernetes, chart_to):
    target = target_of(UpgradeChannel(channel), Running(kubernetes="1.35.4", chart=chart, host="1.36.3"))
    assert (target.kubernetes if target else None, target.chart if target else None) == (kubernetes, chart_to)


def test_settings_that_cannot_be_read_are_told_by_name(settings):
    settings.KUBERNETES_END_OF_SUPPORT = ["1.33 in June"]
    settings.UPGRADE_WARN_BEFORE_SECONDS = [86400]
    told = [each.msg for each in settings_check() if each.id == "marina.E020"]
    assert told[0].startswith("KUBERNETES_END_OF_SUPPORT: '1.33 in June'")
    assert told[1].startswith("UPGRADE_WARN_BEFORE_SECONDS: Owners are warned at least twice")
    settings.KUBERNETES_END_OF_SUPPORT = ["1.33=2026-06-28"]
    assert support_ends() == {(1, 33): datetime(2026, 6, 28, tzinfo=UTC)}
