"""Not tonight, for a whole project: once, for all that did not decide by themselves, and each shows who said so."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEvent
from accounts.services.audit import Actor
from clusters.models import SleepSchedule, VirtualCluster, VirtualClusterPhase
from clusters.services.project_nights import project_sleep_postpone, project_sleep_skip
from clusters.services.schedule_running import sleep_schedules_run
from clusters.services.sleep_putting_off import sleep_postpone, sleep_skip
from clusters.services.sleep_schedules import sleep_schedule_create, sleep_schedule_update
from tests.accounts.conftest import MARINA, person, signed_in
from tests.clusters.conftest import problem, refused
from tests.clusters.lifecycle.days import DAY, HOUR
from tests.clusters.lifecycle.test_keeping_pages import browser
from tests.clusters.lifecycle.test_sleep_schedules import EVENING, MONDAY, NIGHTS, fresh, run
from tests.clusters.making import cluster_row


@pytest.fixture
def made(world):
    def make(name: str, **fields) -> VirtualCluster:
        return cluster_row(world, name, **{"phase": VirtualClusterPhase.READY, **fields})

    return make


@pytest.fixture
def dan(people) -> Actor:
    return Actor(user=people.dan)


def schedule(scope, now=MONDAY, **wanted) -> SleepSchedule:
    return sleep_schedule_create(scope=scope, actor=MARINA, now=now, wanted={**NIGHTS, **wanted})


def url(world) -> str:
    return f"/api/v1/projects/{world.payments.pk}"


# --- what becomes of the night ----------------------------------------------------------------------------------------


def test_not_tonight_leaves_one_night_out_for_all_also_for_those_with_their_own_schedule(made, world, dan):
    made("a"), schedule(made("b"), sleep_cron="0 22 * * *")
    schedule(world.payments)
    other = made("other", project=world.search)
    schedule(world.search)
    for _ in range(2):
        project_sleep_skip(project=world.payments, actor=dan, now=MONDAY)
    assert run(EVENING) == ["sleep other"]
    assert run(EVENING + 2 * HOUR) == []
    assert run(EVENING + DAY) == ["sleep a"]
    assert run(EVENING + DAY + 2 * HOUR) == ["sleep b"]
    assert fresh(other).sleep_put_off_by == ""


def test_postponed_once_all_sleep_later_and_the_night_after_as_ever(made, world, dan):
    made("a"), made("b")
    schedule(world.payments)
    project_sleep_postpone(project=world.payments, seconds=7200, actor=dan, now=MONDAY)
    assert run(EVENING + HOUR) == []
    assert sorted(run(EVENING + 2 * HOUR)) == ["sleep a", "sleep b"]
    assert [fresh(each).next_sleep_at for each in VirtualCluster.objects.all()] == [EVENING + DAY] * 2
    assert not VirtualCluster.objects.exclude(sleep_put_off_by="").exists()


def test_a_second_time_it_cannot_be_postponed_and_may_still_be_left_out(made, world, people, dan):
    made("a")
    schedule(world.payments, now=timezone.now())
    client = signed_in(people.dan)
    assert client.post(f"{url(world)}/sleep-postponement", {"by": 3600}, "json").status_code == 200
    problem(client.post(f"{url(world)}/sleep-postponement", {"by": 3600}, "json"), 409)
    assert client.post(f"{url(world)}/sleep-skip").status_code == 200
    problem(client.post(f"{url(world)}/sleep-postponement", {"by": 3600}, "json"), 409)


def test_one_that_would_wake_before_the_later_time_stays_awake_that_night(made, world, dan):
    made("a")
    own = made("own")
    schedule(own, sleep_cron="0 20 * * *", wake_cron="0 22 * * *")
    schedule(world.payments)
    project_sleep_postpone(project=world.payments, seconds=3 * 3600, actor=dan, now=MONDAY)
    assert (fresh(own).sleep_skipped_at, fresh(own).next_sleep_at) == (EVENING, EVENING + DAY)
    assert run(EVENING + 3 * HOUR) == ["sleep a"]


# --- a cluster's own decision -----------------------------------------------------------------------------------------


def test_what_a_cluster_decided_before_stays(made, world, dan, people):
    own, other = made("own"), made("other")
    schedule(world.payments)
    sleep_postpone(virtual_cluster=own, seconds=3600, actor=Actor(user=people.ada), now=MONDAY)
    night = project_sleep_skip(project=world.payments, actor=dan, now=MONDAY)
    assert [each.name for each in night.own] == ["own"]
    assert run(EVENING + HOUR) == ["sleep own"]
    assert fresh(other).next_sleep_at == EVENING + DAY


def test_what_a_cluster_decides_afterwards_counts(made, world, dan, people):
    later, out = made("later"), made("out")
    schedule(world.payments)
    ada = Actor(user=people.ada)
    project_sleep_skip(project=world.payments, actor=dan, now=MONDAY)
    sleep_postpone(virtual_cluster=later, seconds=3600, actor=ada, now=MONDAY)
    sleep_skip(virtual_cluster=out, actor=ada, now=MONDAY)
    assert (fresh(later).next_sleep_at, fresh(later).sleep_put_off_by) == (EVENING + HOUR, "ada")
    row = fresh(out)
    assert (row.next_sleep_at, row.sleep_put_off_by, row.sleep_put_off_for_project) == (EVENING + DAY, "ada", False)
    project_sleep_skip(project=world.payments, actor=dan, now=MONDAY)
    assert run(EVENING + HOUR) == ["sleep later"]


def test_of_a_postponed_project_one_cluster_may_be_left_out(made, world, dan, people):
    row, _ = made("row"), made("other")
    schedule(world.payments)
    project_sleep_postpone(project=world.payments, seconds=3600, actor=dan, now=MONDAY)
    sleep_skip(virtual_cluster=row, actor=Actor(user=people.ada), now=MONDAY)
    assert run(EVENING + HOUR) == ["sleep other"]


# --- who comes later, and what changes --------------------------------------------------------------------------------


@pytest.mark.parametrize("postponed", [False, True])
def test_a_cluster_that_comes_before_the_night_does_as_its_project(made, world, dan, postponed):
    schedule(world.payments)
    if postponed:
        project_sleep_postpone(project=world.payments, seconds=3600, actor=dan, now=MONDAY)
    else:
        project_sleep_skip(project=world.payments, actor=dan, now=MONDAY)
    row = made("new")
    sleep_schedules_run(now=MONDAY + HOUR)
    assert fresh(row).next_sleep_at == EVENING + (HOUR if postponed else DAY)
    assert (fresh(row).sleep_put_off_by, fresh(row).sleep_put_off_for_project) == ("dan", True)
    later = made("later")
    sleep_schedules_run(now=EVENING + 12 * HOUR)
    assert fresh(later).next_sleep_at == EVENING + DAY


def test_what_was_said_of_a_night_before_says_nothing_of_the_next_one(made, world, dan):
    made("a")
    schedule(world.payments)
    project_sleep_postpone(project=world.payments, seconds=3600, actor=dan, now=MONDAY)
    assert run(EVENING + HOUR) == ["sleep a"]
    project_sleep_skip(project=world.payments, actor=dan, now=MONDAY + DAY)
    row = made("new")
    sleep_schedules_run(now=MONDAY + DAY + HOUR)
    assert fresh(row).next_sleep_at == EVENING + 2 * DAY
    project_sleep_postpone(project=world.payments, seconds=60, actor=dan, now=MONDAY + 2 * DAY)
    assert fresh(row).next_sleep_at == EVENING + 2 * DAY + timedelta(minutes=1)


def test_a_change_of_the_schedule_forgets_it(made, world, dan):
    row, item = made("a"), schedule(world.payments)
    project_sleep_skip(project=world.payments, actor=dan, now=MONDAY)
    sleep_schedule_update(schedule=fresh_schedule(item), actor=MARINA, now=MONDAY, wanted={"sleep_cron": "0 21 * * *"})
    assert (fresh(row).next_sleep_at, fresh(row).sleep_put_off_by) == (EVENING + HOUR, "")
    assert fresh_schedule(item).skipped_at is None


def fresh_schedule(item: SleepSchedule) -> SleepSchedule:
    return SleepSchedule.objects.get(pk=item.pk)


# --- who may, who sees ------------------------------------------------------------------------------------------------


def test_each_cluster_shows_who_put_it_off_for_what_and_until_when(made, world, people):
    row, own = made("a"), made("own")
    schedule(world.payments, now=timezone.now())
    ada, dan = signed_in(people.ada), signed_in(people.dan)
    ada.post(f"/api/v1/virtual-clusters/{own.pk}/sleep-skip")
    planned = fresh(row).next_sleep_at
    answer = dan.post(f"{url(world)}/sleep-postponement", {"by": 1800}, "json").json()
    assert answer["project"]["name"] == "payments"
    told = {each["name"]: each["schedule"] for each in answer["virtual_clusters"]}
    assert (told["a"]["put_off_by"], told["a"]["put_off_for"]) == ("dan", "project")
    assert (told["own"]["put_off_by"], told["own"]["put_off_for"]) == ("ada", "virtual-cluster")
    shown = signed_in(people.vera).get(f"/api/v1/virtual-clusters/{row.pk}").json()["schedule"]
    assert shown == told["a"]
    assert datetime.fromisoformat(shown["sleep_postponed_at"]) == planned
    assert (datetime.fromisoformat(shown["next_sleep_at"]) - planned).total_seconds() == 1800


def test_it_is_written_down_for_the_project_and_for_each_cluster(made, world, dan):
    made("a"), made("b")
    schedule(world.payments)
    project_sleep_skip(project=world.payments, actor=dan, now=MONDAY)
    of_project = AuditEvent.objects.get(action="project.sleep-skip")
    assert (of_project.actor, of_project.object_id, of_project.details["virtual_clusters"]) == (
        "dan",
        str(world.payments.pk),
        2,
    )
    rows = AuditEvent.objects.filter(action="virtualcluster.sleep-skip")
    assert {row.details["for_project"] for row in rows} == {"acme/payments"}
    assert rows.count() == 2
    project_sleep_skip(project=world.payments, actor=dan, now=MONDAY)
    assert AuditEvent.objects.filter(action="virtualcluster.sleep-skip").count() == 2


def test_who_may_put_its_clusters_to_sleep_may_put_that_off_and_nobody_else(made, world, people):
    made("a", owner_user=people.mia)
    schedule(world.payments)
    problem(signed_in(people.vera).post(f"{url(world)}/sleep-skip"), 403)
    problem(signed_in(people.eve).post(f"{url(world)}/sleep-skip"), 404)


def test_where_nothing_is_to_sleep_nothing_can_be_put_off(made, world, people):
    made("a")
    client = signed_in(people.dan)
    problem(client.post(f"{url(world)}/sleep-skip"), 409)
    schedule(world.payments, sleep_cron="", wake_cron="0 7 * * *")
    problem(client.post(f"{url(world)}/sleep-skip"), 409)


@pytest.mark.parametrize("by", [0, 59, -3600, 11 * 3600, 86400, 10**9])
def test_a_span_that_is_none_or_reaches_to_the_morning_is_refused(made, world, people, by):
    made("a")
    schedule(world.payments, now=datetime(2026, 11, 23, tzinfo=UTC), sleep_cron="0 20 * * *", wake_cron="0 7 * * *")
    refused(signed_in(people.dan).post(f"{url(world)}/sleep-postponement", {"by": by}, "json"), "by")


@pytest.mark.parametrize(("action", "later"), [("not_tonight", DAY), ("two_hours_later", 2 * HOUR)])
def test_the_admin_site_puts_off_a_project_and_a_cluster(made, world, people, action, later):
    row, own = made("a"), made("own", project=world.search)
    chosen = [schedule(each, now=timezone.now(), sleep_cron="0 20 * * *") for each in (world.payments, own)]
    planned = fresh(row).next_sleep_at
    client = browser(person("root", is_staff=True, is_superuser=True))
    sent = {"action": action, "_selected_action": [str(each.pk) for each in chosen]}
    page = client.post("/admin/clusters/sleepschedule/", sent, follow=True).content.decode()
    assert "acme/payments: a sleeps " in page
    assert "acme/search/own sleeps " in page
    assert [fresh(each).next_sleep_at for each in (row, own)] == [planned + later] * 2
    assert [fresh(each).sleep_put_off_for_project for each in (row, own)] == [True, False]
