"""Cron in a time zone, also in the nights in which clocks are turned."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.errors import InvalidInput
from clusters.lifecycle.times import cron_check, cron_last, cron_next, cron_seldom_check, zone_check

BERLIN = "Europe/Berlin"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def fired(cron: str, start: datetime, end: datetime, every: timedelta) -> list[datetime]:
    """When a schedule that is looked at every so often acts."""
    found: list[datetime] = []
    planned, now = cron_next(cron, BERLIN, start), start
    while now < end:
        now += every
        if planned and planned <= now:
            last = cron_last(cron, BERLIN, now)
            assert last is not None
            found.append(last)
            planned = cron_next(cron, BERLIN, now)
    return found


@pytest.mark.parametrize("minutes", [1, 7, 20, 45])
def test_a_time_that_the_night_leaves_out_comes_once(minutes):
    found = fired("30 2 * * *", utc("2026-03-28 12:00"), utc("2026-03-30 12:00"), timedelta(minutes=minutes))
    assert found == [utc("2026-03-29 01:00"), utc("2026-03-30 00:30")]


@pytest.mark.parametrize("minutes", [1, 7, 20, 45])
def test_a_time_that_comes_twice_in_a_night_counts_once(minutes):
    found = fired("30 2 * * *", utc("2026-10-24 12:00"), utc("2026-10-26 12:00"), timedelta(minutes=minutes))
    assert found == [utc("2026-10-25 00:30"), utc("2026-10-26 01:30")]


@pytest.mark.parametrize("minute", range(0, 180, 10))
def test_from_any_moment_of_the_night_that_is_longer_the_next_time_is_later_and_the_last_is_not(minute):
    now = utc("2026-10-24 23:00") + timedelta(minutes=minute)
    upcoming, last = cron_next("30 2 * * *", BERLIN, now), cron_last("30 2 * * *", BERLIN, now)
    assert upcoming is not None
    assert last is not None
    assert upcoming > now >= last
    assert upcoming == (utc("2026-10-25 00:30") if now < utc("2026-10-25 00:30") else utc("2026-10-26 01:30"))
    assert last == (utc("2026-10-24 00:30") if now < utc("2026-10-25 00:30") else utc("2026-10-25 00:30"))


@pytest.mark.parametrize(
    ("cron", "says"),
    [
        ("", "cannot be read"),
        ("* * *", "cannot be read"),
        ("@daily", "cannot be read"),
        ("61 * * * *", "bad minute"),
        ("0 20 * * MON-FRY", "bad day-of-week"),
        ("0 0 0 20 * *", "cannot be read"),
        ("0 20 31 2 *", "never comes"),
        ("0 20 30 FEB *", "never comes"),
        ("0 20 31 4,6 *", "never comes"),
    ],
)
def test_what_cannot_be_read_or_never_comes_is_refused_by_its_field(cron, says):
    with pytest.raises(InvalidInput) as refused:
        cron_check(cron, field="sleep_cron", time_zone=BERLIN)
    assert refused.value.field == "sleep_cron"
    assert says in str(refused.value)
    assert refused.value.accepted


@pytest.mark.parametrize("cron", ["0 20 * * MON-FRI", "*/5 * * * *", "0 20 29 2 *", "0 20 31 2 MON", "0 20 L * *"])
def test_what_comes_at_all_is_accepted(cron):
    cron_check(cron, field="sleep_cron", time_zone=BERLIN)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "europe/berlin", "../UTC", "Europe/Berlin\0"])
def test_an_unknown_time_zone_is_refused(name):
    with pytest.raises(InvalidInput) as refused:
        zone_check(name)
    assert refused.value.field == "time_zone"
    assert "Europe/Berlin" in refused.value.accepted


@pytest.mark.parametrize("cron", ["* * * * *", "*/30 * * * *", "0,59 8,9 * * *", "30,31 0 29 2 *"])
def test_times_that_are_less_than_an_hour_apart_are_refused(cron):
    with pytest.raises(InvalidInput) as refused:
        cron_seldom_check(cron, field="export_cron", least=timedelta(hours=1), accepted="less")
    assert (refused.value.field, refused.value.accepted) == ("export_cron", "less")


@pytest.mark.parametrize("cron", ["0 * * * *", "0 3 * * *", "59 8,9 * * *", "0 3 29 2 *"])
def test_times_that_are_an_hour_apart_or_more_are_taken(cron):
    cron_seldom_check(cron, field="export_cron", least=timedelta(hours=1), accepted="less")
