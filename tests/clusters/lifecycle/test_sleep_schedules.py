"""Schedules: each time is done once, whatever was missed and however many do it; tonight can be left out."""

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import AuditEvent
from accounts.services.audit import Actor
from clusters.models import Operation, OperationKind, SleepSchedule, VirtualCluster, VirtualClusterPhase
from clusters.services.schedule_running import sleep_schedules_run
from clusters.services.sleep_putting_off import sleep_postpone, sleep_skip
from clusters.services.sleep_schedules import (
    sleep_schedule_create,
    sleep_schedule_delete,
    sleep_schedule_update,
)
from clusters.services.sleeping import virtual_cluster_sleep, virtual_cluster_wake
from tests.accounts.conftest import MARINA, signed_in
from tests.clusters.conftest import problem, refused
from tests.clusters.lifecycle.days import DAY, HOUR, Book, Days, operations_end
from tests.clusters.making import cluster_row

URL = "/api/v1/sleep-schedules"
NIGHTS = {"sleep_cron": "0 20 * * MON-FRI", "wake_cron": "0 7 * * MON-FRI", "time_zone": "Europe/Berlin"}
MONDAY = datetime(2026, 11, 23, 10, tzinfo=UTC)
EVENING, MORNING = datetime(2026, 11, 23, 19, tzinfo=UTC), datetime(2026, 11, 24, 6, tzinfo=UTC)


@pytest.fixture
def made(world):
    def make(name: str = "hello", **fields) -> VirtualCluster:
        return cluster_row(world, name, **{"phase": VirtualClusterPhase.READY, **fields})

    return make


def schedule(scope, now=MONDAY, **wanted) -> SleepSchedule:
    return sleep_schedule_create(scope=scope, actor=MARINA, now=now, wanted={**NIGHTS, **wanted})


def run(now: datetime) -> list[str]:
    """What a round begins; it is done at once."""
    before = set(Operation.objects.values_list("pk", flat=True))
    sleep_schedules_run(now=now)
    begun = Operation.objects.exclude(pk__in=before).order_by("id")
    told = [f"{kind} {name}" for kind, name in begun.values_list("kind", "virtual_cluster__name")]
    operations_end(now)
    return told


def fresh(row) -> VirtualCluster:
    return VirtualCluster.objects.get(pk=row.pk)


# --- what happens when ------------------------------------------------------------------------------------------------


def test_a_cluster_sleeps_at_night_wakes_in_the_morning_and_sleeps_through_the_weekend(made):
    row = made()
    schedule(row)
    days = Days(MONDAY, Book(MONDAY))
    days.run(7.5, every=HOUR)
    assert [
        (what, MONDAY + round(day * 24) * HOUR) for what, day in days.events["hello"] if what.startswith("schedule")
    ] == [
        (f"schedule: {what}", MONDAY.replace(hour=hour) + day * DAY)
        for day, (hour, what) in [
            (0, (19, "sleep")),
            (1, (6, "wake")),
            (1, (19, "sleep")),
            (2, (6, "wake")),
            (2, (19, "sleep")),
            (3, (6, "wake")),
            (3, (19, "sleep")),
            (4, (6, "wake")),
            (4, (19, "sleep")),
            (7, (6, "wake")),
            (7, (19, "sleep")),
        ]
    ]


def test_it_is_shown_when_it_sleeps_and_wakes_next_and_who_put_it_to_sleep(made, people):
    row = made()
    schedule(row.project)
    client, url = signed_in(people.dan), f"/api/v1/virtual-clusters/{row.pk}"
    shown = client.get(url).json()["schedule"]
    assert (shown["next_sleep_at"], shown["next_wake_at"]) == ("2026-11-23T19:00:00Z", "2026-11-24T06:00:00Z")
    assert run(EVENING) == ["sleep hello"]
    body = client.get(url).json()
    assert body["asleep"]["by"] == "schedule of acme/payments"
    assert body["schedule"]["next_sleep_at"] == "2026-11-24T19:00:00Z"


def test_the_clusters_own_schedule_takes_the_place_of_its_projects(made, world):
    own, _, off = made("own"), made("other"), made("off")
    schedule(world.payments)
    schedule(own, sleep_cron="0 22 * * *")
    schedule(off, enabled=False)
    assert run(EVENING) == ["sleep other"]
    assert run(EVENING + 2 * HOUR) == ["sleep own"]
    assert fresh(off).next_sleep_at is None


def test_a_new_cluster_follows_its_projects_schedule_and_one_that_moves_the_new_projects(made, world):
    schedule(world.payments)
    schedule(world.search, sleep_cron="0 21 * * *")
    row = made()
    assert run(MONDAY) == []
    assert fresh(row).next_sleep_at == EVENING
    VirtualCluster.objects.filter(pk=row.pk).update(project=world.search)
    assert run(EVENING) == []
    assert run(EVENING + HOUR) == ["sleep hello"]


def test_who_takes_a_schedule_away_stops_it(made):
    row = made()
    sleep_schedule_delete(schedule=schedule(row), actor=MARINA, now=MONDAY)
    assert fresh(row).next_sleep_at is None
    assert run(EVENING) == []


def test_what_somebody_wakes_at_night_stays_awake_until_the_next_time_to_sleep(made, world):
    row = made()
    schedule(row)
    run(EVENING)
    virtual_cluster_wake(virtual_cluster=fresh(row), actor=Actor(user=world.olivia), now=EVENING + HOUR)
    operations_end(EVENING + HOUR)
    assert [run(EVENING + hours * HOUR) for hours in range(2, 24)] == [[]] * 22
    assert run(EVENING + DAY) == ["sleep hello"]


def test_what_a_person_put_to_sleep_is_woken_in_the_morning_and_what_nobody_uses_is_not(made, world):
    person, idle = made("person"), made("idle")
    schedule(world.payments)
    for row, by in ((person, ""), (idle, "marina cleanup")):
        virtual_cluster_sleep(virtual_cluster=row, actor=Actor(user=world.olivia), now=MONDAY, by=by)
    operations_end(MONDAY)
    assert run(EVENING) == []
    assert run(MORNING) == ["wake person"]
    shown = signed_in(world.olivia).get(f"/api/v1/virtual-clusters/{idle.pk}").json()
    assert shown["schedule"]["next_wake_at"] is None


def test_exports_have_their_time_and_only_what_is_awake_is_exported(made):
    awake, asleep = made("awake"), made("asleep", phase=VirtualClusterPhase.ASLEEP, sleeping=True)
    for row in (awake, asleep):
        schedule(row, sleep_cron="", wake_cron="", export_cron="0 3 * * *", time_zone="UTC")
    sleep_schedules_run(now=MONDAY + DAY)
    assert [each.virtual_cluster for each in Operation.objects.filter(kind=OperationKind.EXPORT)] == [awake]


# --- what was missed, and done twice ----------------------------------------------------------------------------------


def test_of_what_was_missed_only_the_newest_is_done_and_that_once(made):
    schedule(made())
    assert run(MONDAY + 3 * DAY + 12 * HOUR) == ["sleep hello"]
    assert run(MONDAY + 3 * DAY + 13 * HOUR) == []


def test_a_missed_time_to_sleep_is_nothing_after_the_missed_time_to_wake(made):
    schedule(made())
    assert run(MONDAY + 3 * DAY) == []


def test_a_missed_time_to_wake_wakes_what_slept(made):
    row = made()
    schedule(row)
    assert run(EVENING) == ["sleep hello"]
    assert run(MORNING + DAY + 3 * HOUR) == ["wake hello"]
    assert fresh(row).next_sleep_at == EVENING + 2 * DAY


@pytest.mark.parametrize("busy", ["Updating", "Upgrading", "Migrating", "Waking"])
def test_a_cluster_that_is_being_changed_at_its_time_to_sleep_sleeps_when_that_is_done(made, busy):
    row = made(phase=busy)
    schedule(row)
    assert run(EVENING) == run(EVENING + HOUR) == []
    VirtualCluster.objects.update(phase=VirtualClusterPhase.READY)
    assert run(EVENING + 2 * HOUR) == ["sleep hello"]
    assert run(EVENING + 3 * HOUR) == []


def test_a_cluster_that_is_falling_asleep_at_its_time_to_wake_wakes_when_that_is_done(made):
    row = made(phase=VirtualClusterPhase.FALLING_ASLEEP)
    schedule(row)
    assert run(MORNING) == []
    VirtualCluster.objects.update(phase=VirtualClusterPhase.ASLEEP, sleeping=True)
    assert run(MORNING + timedelta(minutes=1)) == ["wake hello"]


@pytest.mark.parametrize(
    ("night", "times"),
    [
        (datetime(2026, 3, 28, 12, tzinfo=UTC), [datetime(2026, 3, 29, 1, tzinfo=UTC)]),
        (datetime(2026, 10, 24, 12, tzinfo=UTC), [datetime(2026, 10, 25, 0, 30, tzinfo=UTC)]),
    ],
)
def test_in_the_nights_in_which_clocks_are_turned_it_acts_once(made, night, times):
    schedule(made(), now=night, sleep_cron="30 2 * * *", wake_cron="")
    acted = [now for step in range(24 * 6) if run(now := night + step * timedelta(minutes=10))]
    assert acted == times


@pytest.mark.django_db(transaction=True)
def test_two_schedulers_at_once_put_nothing_to_sleep_twice(made, world):
    for number in range(8):
        made(f"c-{number}")
    schedule(world.payments)
    begin = Barrier(2)

    def act() -> None:
        begin.wait()
        sleep_schedules_run(now=EVENING)
        connection.close()

    threads = [Thread(target=act) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sleep_schedules_run(now=EVENING)
    assert Operation.objects.filter(kind=OperationKind.SLEEP).count() == 8
    assert AuditEvent.objects.filter(action="virtualcluster.sleep").count() == 8


# --- not tonight ------------------------------------------------------------------------------------------------------


def test_not_tonight_leaves_out_one_night_also_when_it_is_said_twice(made, people):
    row = made()
    schedule(row)
    for _ in range(2):
        sleep_skip(virtual_cluster=row, actor=Actor(user=people.dan), now=MONDAY)
    assert run(EVENING) == []
    assert run(EVENING + DAY) == ["sleep hello"]
    assert fresh(row).sleep_skipped_at is None


def test_a_time_is_postponed_once_and_not_beyond_the_morning(made, people):
    row = made()
    client, url = signed_in(people.dan), f"/api/v1/virtual-clusters/{row.pk}"
    problem(client.post(f"{url}/sleep-postponement", {"by": 3600}, "json"), 409)
    schedule(row, now=timezone.now())
    planned = fresh(row).next_sleep_at
    assert planned is not None
    refused(client.post(f"{url}/sleep-postponement", {"by": 4 * 86400}, "json"), "by")
    body = client.post(f"{url}/sleep-postponement", {"by": 7200}, "json").json()
    assert fresh(row).next_sleep_at == planned + 2 * HOUR
    assert body["schedule"]["sleep_postponed_at"]
    problem(client.post(f"{url}/sleep-postponement", {"by": 7200}, "json"), 409)
    assert run(planned + HOUR) == []
    assert run(planned + 2 * HOUR) == ["sleep hello"]


def test_an_owner_may_postpone_without_any_role_and_a_viewer_may_not(made, people):
    row = made(owner_user=people.mia)
    schedule(row)
    sleep_postpone(virtual_cluster=row, seconds=60, actor=Actor(user=people.mia), now=MONDAY)
    problem(signed_in(people.vera).post(f"/api/v1/virtual-clusters/{row.pk}/sleep-skip"), 403)


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"sleep_cron": "at eight"}, "sleep_cron"),
        ({"sleep_cron": "0 20 31 2 *"}, "sleep_cron"),
        ({"wake_cron": "0 25 * * *"}, "wake_cron"),
        ({"export_cron": "* * * * * *"}, "export_cron"),
        ({"export_cron": "* * * * *"}, "export_cron"),
        ({"export_cron": "0,59 3 * * *"}, "export_cron"),
        ({"sleep_cron": "*/2 * * * *"}, "sleep_cron"),
        ({"sleep_cron": "0 20 * * *", "time_zone": "Europe/Atlantis"}, "time_zone"),
        ({}, "sleep_cron"),
        ({"sleep_cron": ""}, "sleep_cron"),
        ({"sleep_cron": "0 20 * * *", "wake_cron": "0  20 * * *"}, "wake_cron"),
        ({"export_cron": "*/5 * * * *"}, "export_cron"),
        ({"export_cron": "0,59 8,9 * * *"}, "export_cron"),
    ],
)
def test_what_cannot_be_read_never_comes_or_is_nowhere_is_refused_by_its_field(made, people, wanted, field):
    body = {"virtual_cluster": str(made().pk), **wanted}
    assert refused(signed_in(people.dan).post(URL, body, "json"), field)["accepted"]


def test_a_schedule_is_made_changed_and_deleted_over_the_api(made, people):
    row, client = made(), signed_in(people.dan)
    answer = client.post(URL, {"virtual_cluster": str(row.pk), **NIGHTS}, "json")
    assert answer.status_code == 201, answer.content
    item = f"{URL}/{answer.json()['id']}"
    assert client.patch(item, {"sleep_cron": "0 22 * * *"}, "json").json()["sleep_cron"] == "0 22 * * *"
    problem(client.post(URL, {"virtual_cluster": str(row.pk), **NIGHTS}, "json"), 409)
    problem(client.post(URL, {"project": "acme/payments", **NIGHTS}, "json"), 403)
    assert signed_in(people.ada).post(URL, {"project": "acme/payments", **NIGHTS}, "json").status_code == 201
    assert client.delete(item).status_code == 204
    assert AuditEvent.objects.filter(action="sleep-schedule.update").count() == 1


def test_a_change_forgets_what_was_left_out(made):
    row = made()
    item = schedule(row)
    sleep_skip(virtual_cluster=row, actor=MARINA, now=MONDAY)
    sleep_schedule_update(schedule=item, actor=MARINA, now=MONDAY, wanted={"sleep_cron": "0 21 * * *"})
    assert (fresh(row).next_sleep_at, fresh(row).sleep_skipped_at) == (EVENING + HOUR, None)
