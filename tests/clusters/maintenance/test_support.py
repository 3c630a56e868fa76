"""Without support a version is left behind: after two warnings, in the next window, and never without an export."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import NotificationDelivery
from clusters.lifecycle.support import SupportEnd
from clusters.models import Operation, OperationKind
from tests.clusters.maintenance.conftest import DAY, HOUR, NIGHT, fresh, told

END = datetime(2027, 2, 28, tzinfo=UTC)


@pytest.fixture
def ending(upkeep, settings):
    settings.KUBERNETES_END_OF_SUPPORT = ["1.35=2027-02-28"]
    return upkeep


def nightly(upkeep, first: datetime, days: int) -> list[datetime]:
    """When something began, looking each hour."""
    moments = [first + hour * HOUR for hour in range(days * 24)]
    return [now for now in moments if upkeep.run(now)]


def test_its_owner_is_warned_at_each_span_with_the_command_that_upgrades_now(ending):
    ending.fleet.make("hello")
    for days in (40, 31, 30, 29, 8, 7, 6, 2, 1):
        ending.run(END - days * DAY)
    notes = told("support-ending")
    assert len(notes) == 3
    assert notes[0].command == "marina upgrade hello --to 1.36.3 --project acme/payments"
    assert "1.35 has no support from 2027-02-28 on" in notes[0].text
    assert NotificationDelivery.objects.filter(notification=notes[0]).count() <= 1


def test_it_is_forced_after_the_date_where_there_is_no_window_and_in_the_next_one_where_there_is(ending):
    free, bound = ending.fleet.make("free", "bound")
    ending.policy(bound, **NIGHT)
    first = END - 31 * DAY
    begun = {}
    for hour in range(33 * 24):
        for name in ending.run(first + hour * HOUR):
            begun[name] = first + hour * HOUR
    assert begun == {"free": END, "bound": END + 2 * HOUR}
    assert free.name == "free"
    assert Operation.objects.filter(kind=OperationKind.UPGRADE)[0].params["kubernetes_version"] == "1.36.3"
    assert "What it runs is without support." in told("upgrade-begun")[0].text


def test_a_date_that_was_set_late_waits_for_two_warnings_all_the_same(ending):
    ending.fleet.make("hello")
    begun = nightly(ending, END + 10 * DAY, 4)
    assert begun == [END + 12 * DAY]
    assert len(told("support-ending")) == 2
    assert "has been without support since 2027-02-28" in told("support-ending")[0].text


def test_who_upgrades_in_time_is_warned_no_more_and_not_forced(ending):
    ending.fleet.make("hello")
    ending.run(END - 30 * DAY)
    type(fresh("hello")).objects.filter(name="hello").update(kubernetes_version="1.36.3")
    assert nightly(ending, END - 2 * DAY, 4) == []
    assert len(told("support-ending")) == 1
    assert fresh("hello").upgrade_support_told == {}


def test_what_cannot_leave_its_version_is_told_and_not_tried_for_ever(ending, settings):
    ending.fleet.make("hello")
    ending.run(END - 30 * DAY)
    ending.run(END - 7 * DAY)
    begun = []
    for hour in range(24 * 8):
        begun += ending.run(END + hour * HOUR)
        ending.fleet.work(fails=("hello",))
    assert len(begun) == 3
    assert len(told("upgrade-blocked")) == 3


def test_without_a_newer_version_on_offer_nothing_is_forced_and_that_is_said(ending, settings):
    settings.KUBERNETES_VERSIONS = ["1.35.4"]
    ending.fleet.make("hello")
    assert nightly(ending, END - DAY, 4) == []
    assert "No newer minor version is offered here yet" in told("support-ending")[0].text


@pytest.mark.parametrize(
    ("told_before_end", "forced"),
    [((), None), ((30,), None), ((30, 7), END), ((1, 0), END + DAY), ((-5, -6), END + 7 * DAY)],
)
def test_it_is_forced_never_before_the_date_nor_sooner_than_a_day_after_the_second_warning(
    settings, told_before_end, forced
):
    settings.UPGRADE_WARN_BEFORE_SECONDS = [30 * 86400, 7 * 86400, 86400]
    told_at = tuple(END - timedelta(days=days) for days in told_before_end)
    assert SupportEnd(at=END, told=told_at).forced_from == forced
