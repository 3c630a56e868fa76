"""In its window, once, by its channel: what Marina upgrades by itself."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from accounts.errors import Conflict, InvalidInput
from clusters.models import Operation, OperationKind, VirtualCluster
from clusters.models import VirtualClusterPhase as Phase
from clusters.services.upgrade_policies import upgrade_policy_update
from clusters.services.upgrade_running import upgrades_run
from tests.accounts.conftest import MARINA, signed_in
from tests.clusters.conftest import problem, refused
from tests.clusters.maintenance.conftest import DAY, HOUR, MONDAY, NIGHT, fresh, told

URL = "/api/v1/upgrade-policies"
TWO = datetime(2026, 11, 24, 2, tzinfo=UTC)


def asked(name: str) -> dict[str, Any]:
    rows = Operation.objects.filter(kind=OperationKind.UPGRADE, virtual_cluster__name=name)
    return dict(rows.latest("id").params)


def test_it_is_upgraded_in_its_window_and_not_before_and_its_owner_hears_of_it(upkeep):
    upkeep.fleet.make("hello")
    upkeep.policy(upkeep.fleet.world.payments, channel="patch", **NIGHT)
    assert [upkeep.run(MONDAY), upkeep.run(TWO - HOUR / 60)] == [[], []]
    assert (fresh("hello").upgrade_at, fresh("hello").upgrade_until) == (TWO, TWO + 4 * HOUR)
    assert upkeep.run(TWO) == ["hello"]
    assert asked("hello")["kubernetes_version"] == "1.35.6"
    assert upkeep.actor.user is None
    assert told("upgrade-begun")[0].text == (
        "acme/payments/hello is being upgraded to Kubernetes 1.35.6. Its channel takes newer patches. "
        "It is exported first."
    )
    assert upkeep.run(TWO + HOUR) == []


def test_the_minor_channel_takes_the_next_minor_and_no_channel_takes_nothing(upkeep):
    minor, _, silent = upkeep.fleet.make("minor", "none", "silent")
    upkeep.policy(upkeep.fleet.world.acme, channel="minor", **NIGHT)
    upkeep.policy(VirtualCluster.objects.get(name="none"), channel="none")
    upkeep.policy(silent, window_cron="0 4 * * *", window_seconds=3600)
    assert upkeep.run(TWO) == ["minor"]
    assert asked("minor")["kubernetes_version"] == "1.36.3"
    assert minor.name == "minor"
    assert upkeep.run(TWO + 2 * HOUR) == ["silent"]
    assert fresh("none").upgrade_channel == "none"


def test_the_narrowest_scope_counts_for_channel_and_window_each_by_itself(upkeep):
    upkeep.fleet.make("hello")
    upkeep.policy(upkeep.fleet.world.acme, **NIGHT)
    upkeep.policy(upkeep.fleet.world.payments, channel="patch")
    assert upkeep.run(TWO) == ["hello"]


def test_a_channel_without_any_window_upgrades_nothing(upkeep):
    upkeep.fleet.make("hello")
    upkeep.policy(upkeep.fleet.world.payments, channel="minor")
    assert [upkeep.run(MONDAY + days * DAY) for days in range(5)] == [[]] * 5


def test_a_missed_beginning_is_caught_up_in_the_window_and_not_after_it(upkeep):
    upkeep.fleet.make("hello")
    upkeep.policy(upkeep.fleet.world.payments, channel="patch", **NIGHT)
    upkeep.run(MONDAY)
    assert upkeep.run(TWO + 5 * HOUR) == []
    assert fresh("hello").upgrade_at == TWO + DAY
    assert upkeep.run(TWO + DAY + 3 * HOUR) == ["hello"]


def test_windows_are_in_their_time_zone(upkeep):
    upkeep.fleet.make("hello")
    upkeep.policy(upkeep.fleet.world.payments, channel="patch", **{**NIGHT, "time_zone": "America/New_York"})
    assert upkeep.run(TWO) == []
    assert upkeep.run(TWO + 5 * HOUR) == ["hello"]


def test_a_busy_or_restless_cluster_is_tried_again_while_the_window_is_open(upkeep):
    upkeep.fleet.make("busy", "waking")
    upkeep.policy(upkeep.fleet.world.payments, channel="patch", **NIGHT)
    upkeep.fleet.phase("waking", Phase.WAKING)
    upkeep.fleet.refuses["busy"] = Conflict("It is busy.", operation_id=uuid4())
    assert upkeep.run(TWO) == []
    upkeep.fleet.refuses.clear()
    upkeep.fleet.phase("waking", Phase.READY)
    assert sorted(upkeep.run(TWO + HOUR)) == ["busy", "waking"]
    assert not told("upgrade-blocked")


def test_what_cannot_be_upgraded_is_told_and_tried_in_three_windows_at_most(upkeep):
    upkeep.fleet.make("hello")
    upkeep.policy(upkeep.fleet.world.payments, channel="patch", **NIGHT)
    begun = []
    for night in range(6):
        for hour in (0, 1, 2):
            begun += upkeep.run(TWO + night * DAY + hour * HOUR)
            upkeep.fleet.work(fails=("hello",))
    assert len(begun) == 3
    notes = told("upgrade-blocked")
    assert len(notes) == 3
    assert notes[0].text.endswith("The image is missing. Marina tries again in its next window.")
    assert notes[2].text.endswith("Marina does not try that again.")
    assert notes[2].command.startswith("marina upgrade hello --to 1.35.6")
    assert fresh("hello").upgrade_blocked == "The image is missing."


def test_what_is_refused_before_it_begins_counts_as_a_try(upkeep):
    upkeep.fleet.make("hello")
    upkeep.policy(upkeep.fleet.world.payments, channel="patch", **NIGHT)
    upkeep.fleet.refuses["hello"] = InvalidInput("It cannot be.", field="x")
    for night in range(5):
        assert upkeep.run(TWO + night * DAY) == []
        assert upkeep.run(TWO + night * DAY + HOUR) == []
    assert len(told("upgrade-blocked")) == 3


def test_another_version_is_tried_anew_and_success_forgets_what_was(upkeep, settings):
    upkeep.fleet.make("hello")
    upkeep.policy(upkeep.fleet.world.payments, channel="patch", **NIGHT)
    for night in range(4):
        upkeep.run(TWO + night * DAY)
        upkeep.fleet.work(fails=("hello",))
    upkeep.run(TWO + 5 * DAY)
    settings.KUBERNETES_VERSIONS = ["1.36.3", "1.35.7", "1.35.4"]
    assert upkeep.run(TWO + 6 * DAY) == ["hello"]
    upkeep.fleet.work()
    upkeep.run(TWO + 6 * DAY + HOUR)
    row = fresh("hello")
    assert (row.upgrade_blocked, row.upgrade_tries, row.upgrade_operation) == ("", 0, None)


def test_who_changes_the_policy_at_the_last_moment_is_heard(upkeep):
    upkeep.fleet.make("hello")
    policy = upkeep.policy(upkeep.fleet.world.payments, channel="patch", **NIGHT)
    upkeep.run(MONDAY)
    upgrade_policy_update(policy=policy, actor=MARINA, says={"channel": "none"})
    assert upkeep.run(TWO) == []
    assert fresh("hello").upgrade_at is None


def test_only_so_many_are_upgraded_at_once(upkeep, settings):
    settings.AUTO_UPGRADES_AT_ONCE = 2
    upkeep.fleet.many(5)
    upkeep.policy(upkeep.fleet.world.payments, channel="patch", **NIGHT)
    assert [len(upkeep.run(TWO)), len(upkeep.run(TWO))] == [2, 0]
    upkeep.fleet.work()
    assert len(upkeep.run(TWO + HOUR)) == 2


def test_what_is_in_a_rollout_is_left_to_that(upkeep):
    upkeep.fleet.make("hello")
    upkeep.policy(upkeep.fleet.world.payments, channel="patch", **NIGHT)
    upkeep.fleet.rollout()
    assert upkeep.run(TWO) == []


@pytest.mark.django_db(transaction=True)
def test_two_schedulers_at_once_upgrade_nothing_twice(upkeep):
    upkeep.fleet.many(6)
    upkeep.policy(upkeep.fleet.world.payments, channel="patch", **NIGHT)
    begin = Barrier(2)

    def act(_: int) -> None:
        begin.wait()
        try:
            upgrades_run(now=TWO)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(act, range(2)))
    upkeep.run(TWO + HOUR)
    assert sorted(upkeep.fleet.begun) == [f"c-{number:03}" for number in range(6)]
    assert Operation.objects.filter(kind=OperationKind.UPGRADE).count() == 6
    assert len(told("upgrade-begun")) == 6


def test_a_pass_over_many_clusters_with_nothing_to_do_costs_a_fixed_number_of_statements(
    upkeep, django_assert_max_num_queries
):
    upkeep.fleet.many(50)
    upkeep.policy(upkeep.fleet.world.payments, channel="patch", **NIGHT)
    upkeep.run(MONDAY)
    with django_assert_max_num_queries(9):
        upkeep.run(MONDAY + HOUR)


# --- over the API -----------------------------------------------------------------------------------------------------


def test_a_policy_is_made_changed_and_deleted_over_the_api(upkeep, people):
    (cluster,) = upkeep.fleet.make("hello")
    dan, ada = signed_in(people.dan), signed_in(people.ada)
    answer = dan.post(URL, {"virtual_cluster": str(cluster.pk), "channel": "patch", **NIGHT}, "json")
    assert answer.status_code == 201, answer.content
    item = f"{URL}/{answer.json()['id']}"
    assert dan.patch(item, {"channel": "minor"}, "json").json()["channel"] == "minor"
    problem(dan.post(URL, {"virtual_cluster": str(cluster.pk), "channel": "patch"}, "json"), 409)
    problem(dan.post(URL, {"project": "acme/payments", "channel": "patch"}, "json"), 403)
    assert ada.post(URL, {"project": "acme/payments", "channel": "patch"}, "json").status_code == 201
    problem(ada.post(URL, {"organization": str(upkeep.fleet.world.acme.pk), "channel": "patch"}, "json"), 400)
    assert dan.delete(item).status_code == 204


@pytest.mark.parametrize(
    ("says", "field"),
    [
        ({}, "channel"),
        ({"channel": "nightly"}, "channel"),
        ({"window_cron": "at two", "window_seconds": 3600}, "window_cron"),
        ({"window_cron": "0 2 31 2 *", "window_seconds": 3600}, "window_cron"),
        ({"window_cron": "0 2 * * *"}, "window_seconds"),
        ({"window_seconds": 3600}, "window_cron"),
        ({"window_cron": "0 2 * * *", "window_seconds": 60}, "window_seconds"),
        ({"channel": "patch", "time_zone": "Europe/Atlantis"}, "time_zone"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_field(upkeep, people, says, field):
    (cluster,) = upkeep.fleet.make("hello")
    assert refused(signed_in(people.dan).post(URL, {"virtual_cluster": str(cluster.pk), **says}, "json"), field)


def test_the_plan_is_shown_on_the_cluster(upkeep, people):
    (cluster,) = upkeep.fleet.make("hello")
    upkeep.policy(upkeep.fleet.world.payments, channel="patch", **NIGHT)
    upkeep.run(MONDAY)
    shown = signed_in(people.vera).get(f"/api/v1/virtual-clusters/{cluster.pk}").json()["upgrade"]
    assert shown["channel"] == "patch"
    assert shown["planned"] == {
        "at": "2026-11-24T02:00:00Z",
        "until": "2026-11-24T06:00:00Z",
        "cause": "patch",
        "kubernetes_version": "1.35.6",
        "chart_version": "",
    }
