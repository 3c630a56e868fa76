"""The sweep: its cap, its switch, its report, what it costs, and what owners answer."""

import time
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.errors import Conflict, InvalidInput, NotAllowed
from accounts.models import AuditEvent, Notification
from accounts.services.audit import Actor
from clusters.models import (
    CleanupItem,
    CleanupRun,
    LifecyclePolicy,
    Operation,
    OperationKind,
    VirtualCluster,
    VirtualClusterPhase,
)
from clusters.services.cleanup import cleanup_runs_remove, sweep
from clusters.services.cleanup_keeping import cleanup_consent, virtual_cluster_extend
from clusters.services.cleanup_looking import preview
from clusters.services.cleanup_switching import cleanup_switch_set
from tests.accounts.conftest import MARINA, signed_in
from tests.clusters.conftest import problem, refused
from tests.clusters.lifecycle.conftest import NOW
from tests.clusters.lifecycle.days import DAY, HOUR
from tests.clusters.lifecycle.runs import last_run, ran

WARNED = [(NOW - 7 * DAY).isoformat(), (NOW - DAY).isoformat()]
DUE = {
    "cleanup_at": NOW,
    "cleanup_cause": "idle",
    "cleanup_state": "warned",
    "cleanup_warned_at": WARNED,
    "serving": False,
}
"""Warned twice, and its date has come."""


def swept(hours: float = 1) -> CleanupRun:
    """A sweep that was before."""
    return CleanupRun.objects.create(started_at=NOW - hours * HOUR, finished_at=NOW, state="Done")


def deletions() -> int:
    return Operation.objects.filter(kind=OperationKind.DELETE).count()


# --- how much at once -------------------------------------------------------------------------------------------------


def test_one_sweep_deletes_no_more_than_its_cap_and_the_next_goes_on(made, book, settings):
    settings.CLEANUP_DELETIONS_PER_RUN = 2
    for number in range(5):
        made(f"old-{number}", days=100, **DUE)
    swept()
    run = ran(now=NOW, read_signals=book)
    assert (run.deleted, run.left, deletions()) == (2, 3, 2)
    run = ran(now=NOW + HOUR, read_signals=book)
    assert (run.deleted, run.left, deletions()) == (2, 1, 4)


def test_after_days_without_a_sweep_nothing_is_deleted_and_everybody_is_warned_anew(made, book):
    for number in range(5):
        made(f"old-{number}", days=100, **DUE)
    swept(hours=72)
    run = ran(now=NOW, read_signals=book)
    assert (run.after_gap, run.deleted, run.warned) == (True, 0, 5)
    assert set(VirtualCluster.objects.values_list("cleanup_at", flat=True)) == {NOW + DAY}
    assert ran(now=NOW + HOUR, read_signals=book).deleted == 0


def test_the_very_first_sweep_deletes_nothing_however_old_everything_is(made, book):
    made(days=1000)
    run = ran(now=NOW, read_signals=book)
    assert (run.after_gap, run.warned, run.deleted) == (True, 1, 0)
    assert VirtualCluster.objects.get().cleanup_at == NOW + 7 * DAY


def test_an_overdue_cluster_is_deleted_only_as_long_after_its_warnings_as_the_policy_says(made, book):
    row = made(days=1000, serving=False)
    swept()
    happened = []
    for hour in range(9 * 24):
        run = ran(now=NOW + hour * HOUR, read_signals=book)
        happened += [(item.action, hour / 24) for item in run.items.all() if item.action != "sleep"]
    assert happened[:3] == [("warn", 0), ("warn", 6), ("delete", 7)]
    assert Notification.objects.filter(subject_id=str(row.pk), kind="cleanup-warning").count() == 2


# --- who stops it -----------------------------------------------------------------------------------------------------


def test_a_stopped_cleanup_does_nothing_and_says_so(made, book, people):
    made(days=100, **DUE)
    swept()
    cleanup_switch_set(stopped=True, reason="A look at the policies first.", actor=Actor(user=people.op), now=NOW)
    run = ran(now=NOW, read_signals=book)
    assert (run.state, run.items.count(), deletions()) == ("Stopped", 0, 0)
    cleanup_switch_set(stopped=False, actor=Actor(user=people.op), now=NOW)
    assert ran(now=NOW + HOUR, read_signals=book).deleted == 1


def test_who_stops_it_says_why_and_is_of_the_platform(people):
    with pytest.raises(InvalidInput):
        cleanup_switch_set(stopped=True, actor=Actor(user=people.op), now=NOW)
    with pytest.raises(NotAllowed):
        cleanup_switch_set(stopped=True, reason="no", actor=Actor(user=people.ada), now=NOW)


def test_protection_that_comes_after_the_warnings_wins(made, book):
    made(days=100, **DUE, deletion_protection=True)
    swept()
    run = ran(now=NOW, read_signals=book)
    assert (run.deleted, run.cleared) == (0, 1)
    assert VirtualCluster.objects.get().cleanup_at is None


def test_a_deletion_that_was_begun_and_failed_is_not_begun_anew_each_hour(made, book):
    made(days=100, **DUE)
    swept()
    assert ran(now=NOW, read_signals=book).deleted == 1
    Operation.objects.filter(kind=OperationKind.DELETE).update(state="Failed", finished_at=NOW)
    assert [ran(now=NOW + hour * HOUR, read_signals=book).deleted for hour in range(1, 26)] == [0] * 23 + [1, 0]


# --- its report -------------------------------------------------------------------------------------------------------


def test_a_run_reports_what_it_did_to_whom_why_and_by_which_signals(made, book, world):
    row = made(days=100, **DUE)
    swept()
    run = ran(now=NOW, read_signals=book)
    item = run.items.get()
    assert item.operation is not None
    assert (item.virtual_cluster, item.action, item.operation.kind) == (row, "delete", "delete")
    assert "2026-08-18" in item.why
    assert {each["kind"] for each in item.signals} >= {"gateway-person", "change", "ingress"}
    assert AuditEvent.objects.filter(action="virtualcluster.delete", actor="marina cleanup").count() == 1
    told = Notification.objects.get(kind="cleanup-deleted")
    assert (told.recipient, told.command) == (world.olivia, "marina restore hello --project acme/payments")


def test_a_run_whose_worker_died_stands_in_nobodys_way_for_long(db, book):
    CleanupRun.objects.create(started_at=NOW - timedelta(minutes=5))
    assert sweep(now=NOW, read_signals=book) is None
    assert ran(now=NOW + HOUR, read_signals=book).state == "Done"
    assert CleanupRun.objects.filter(state="Died").count() == 1


def test_old_reports_go(db, book):
    swept(hours=24 * 200)
    swept()
    assert cleanup_runs_remove(now=NOW) == 1


def test_the_preview_tells_what_the_sweep_then_does_and_changes_nothing(made, book, world, people):
    made("old", days=100, **DUE)
    made("warned-first", days=84)
    made("asleep-soon", days=8)
    made("new")
    made("elsewhere", days=100, project=world.foreign)
    swept()
    told = {case.cluster.name: decision.action for case, decision in _preview(people.dan, book)}
    assert told == {"old": "delete", "warned-first": "warn", "asleep-soon": "sleep"}
    everything = preview(now=NOW, user=people.dan, everything=True, read_signals=book)
    assert {case.cluster.name for case, _ in everything} == {*told, "new"}
    ran(now=NOW, read_signals=book)
    assert told == {
        item.virtual_cluster.name: item.action
        for item in CleanupItem.objects.exclude(virtual_cluster__name="elsewhere")
    }


def _preview(user, book):
    return preview(now=NOW, user=user, read_signals=book)


def test_after_the_first_warning_the_next_thing_due_is_the_second_and_then_the_deletion(made, book):
    made(days=84)
    swept()
    ((_, first),) = preview(now=NOW, user=None, read_signals=book)
    assert (first.action, first.next_at) == ("warn", NOW + 6 * DAY)
    ran(now=NOW, read_signals=book)
    ((_, second),) = preview(now=NOW + 6 * DAY, user=None, read_signals=book)
    assert (second.action, second.next_at) == ("warn", NOW + 7 * DAY)


# --- what owners answer -----------------------------------------------------------------------------------------------


def test_an_extension_puts_off_the_date_and_ends_the_plan(made, book, world):
    row = made(days=100, **{**DUE, "cleanup_at": NOW + DAY})
    kept = virtual_cluster_extend(virtual_cluster=row, seconds=7 * 86400, actor=Actor(user=world.olivia), now=NOW)
    assert (kept.kept_until, kept.cleanup_at) == (NOW + 8 * DAY, None)
    swept()
    assert ran(now=NOW, read_signals=book).deleted == 0
    assert VirtualCluster.objects.get().cleanup_at is None


def test_a_lifetime_is_made_longer_up_to_what_the_policy_allows_in_all(made, world):
    LifecyclePolicy.objects.create(project=world.payments, extension_maximum=10 * 86400)
    row = made(expires_at=NOW + DAY)
    actor = Actor(user=world.olivia)
    kept = virtual_cluster_extend(virtual_cluster=row, seconds=7 * 86400, actor=actor, now=NOW)
    assert kept.expires_at == NOW + 8 * DAY
    with pytest.raises(Conflict) as refused_more:
        virtual_cluster_extend(virtual_cluster=row, seconds=7 * 86400, actor=actor, now=NOW)
    assert "by 7d so far; by the project acme/payments it is 10d in all" in str(refused_more.value)
    assert refused_more.value.hint.startswith("Up to 3d more are possible.")
    with pytest.raises(InvalidInput) as too_long:
        virtual_cluster_extend(virtual_cluster=row, seconds=11 * 86400, actor=actor, now=NOW)
    assert "1h to 10d" in too_long.value.accepted
    with pytest.raises(InvalidInput):
        virtual_cluster_extend(virtual_cluster=row, seconds=10**18, actor=actor, now=NOW)


def test_an_extension_goes_beyond_the_date_that_was_told_also_where_a_late_warning_moved_it(made, book, world):
    row = made(expires_at=NOW + DAY)
    ran(now=NOW, read_signals=book)
    assert VirtualCluster.objects.get().cleanup_at == NOW + 7 * DAY, "a week before it its owner was told"
    kept = virtual_cluster_extend(virtual_cluster=row, seconds=7 * 86400, actor=Actor(user=world.olivia), now=NOW)
    assert (kept.expires_at, kept.lifetime_extended) == (NOW + 14 * DAY, 7 * 86400)
    ran(now=NOW + HOUR, read_signals=book)
    assert VirtualCluster.objects.get().cleanup_at is None, "nobody is warned of the same date again"


@pytest.mark.parametrize(
    ("maximum", "extended", "command"),
    [(30 * 86400, 0, "--for 7d"), (5 * 86400, 0, "--for 5d"), (10 * 86400, 777600, "--for 1d"), (7200, 0, "--for 2h")],
)
def test_the_command_of_a_warning_is_one_that_is_taken(made, book, world, maximum, extended, command):
    LifecyclePolicy.objects.create(project=world.payments, extension_maximum=maximum)
    made(expires_at=NOW + DAY, lifetime_extended=extended)
    ran(now=NOW, read_signals=book)
    (told,) = Notification.objects.filter(kind="cleanup-warning")
    assert told.command.endswith(command)
    assert told.text.endswith("To stop that, keep it.")


def test_a_lifetime_that_cannot_be_made_longer_is_told_without_a_command(made, book, world):
    LifecyclePolicy.objects.create(project=world.payments, extension_maximum=86400)
    made(expires_at=NOW + DAY, lifetime_extended=86400)
    ran(now=NOW, read_signals=book)
    (told,) = Notification.objects.filter(kind="cleanup-warning")
    assert (told.command, told.text.endswith("ask an admin of its project.")) == ("", True)


def test_an_owner_without_any_role_may_extend_and_say_yes(made, people, world):
    row = made(days=100, owner_user=people.mia, **DUE)
    virtual_cluster_extend(virtual_cluster=row, seconds=86400, actor=Actor(user=people.mia), now=NOW)
    VirtualCluster.objects.filter(pk=row.pk).update(**DUE)
    assert cleanup_consent(virtual_cluster=row, actor=Actor(user=people.mia), now=NOW).consent_at == NOW
    with pytest.raises(NotAllowed):
        virtual_cluster_extend(virtual_cluster=row, seconds=86400, actor=Actor(user=people.vera), now=NOW)


def test_a_yes_to_what_is_not_planned_is_refused(made, world):
    with pytest.raises(Conflict):
        cleanup_consent(virtual_cluster=made(), actor=Actor(user=world.olivia), now=NOW)


# --- over the API -----------------------------------------------------------------------------------------------------


def test_a_cluster_shows_its_date_and_the_api_extends_it(made, people):
    row = made(days=100, **DUE, cleanup_why="Nobody uses it.")
    client, url = signed_in(people.dan), f"/api/v1/virtual-clusters/{row.pk}"
    shown = client.get(url).json()["cleanup"]
    assert (shown["at"], shown["state"], shown["why"]) == ("2026-11-26T12:00:00Z", "warned", "Nobody uses it.")
    assert client.post(f"{url}/cleanup-consent").json()["cleanup"]["consent_at"]
    assert client.post(f"{url}/extension", {"by": 86400}, "json").json()["cleanup"]["at"] is None
    refused(client.post(f"{url}/extension", {"by": 5}, "json"), "by")
    problem(client.post(f"{url}/cleanup-consent"), 409)
    outlook = client.get(f"{url}/cleanup").json()
    assert outlook["policy"]["delete_after"] == 90 * 86400
    assert outlook["policy"]["origins"]["delete_after"] == "the platform's defaults"


def test_the_preview_and_the_log_show_only_what_somebody_sees(made, book, people, world):
    made("mine", days=84)
    made("theirs", days=84, project=world.foreign)
    ran(now=NOW, read_signals=book)
    dan, op = signed_in(people.dan), signed_in(people.op)
    preview_names = [each["virtual_cluster"]["name"] for each in dan.get("/api/v1/cleanup/preview").json()["clusters"]]
    assert preview_names == ["mine"]
    items = dan.get("/api/v1/cleanup/items").json()["results"]
    assert [(each["virtual_cluster"]["name"], each["action"]) for each in items] == [("mine", "warn")]
    assert dan.get("/api/v1/cleanup/runs").json()["results"] == []
    assert op.get("/api/v1/cleanup/runs").json()["results"][0]["warned"] == 2
    refused(dan.get("/api/v1/cleanup/preview?everything=1"), "everything")
    problem(dan.put("/api/v1/cleanup/switch", {"stopped": True, "reason": "x"}, "json"), 403)
    assert op.put("/api/v1/cleanup/switch", {"stopped": True, "reason": "a look"}, "json").json()["stopped"] is True
    assert dan.get("/api/v1/cleanup/switch").json()["changed_by"]["handle"] == "op"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"sleep_after": 5}, "sleep_after"),
        ({"delete_after": 60}, "delete_after"),
        ({"warn_before": [86400]}, "warn_before"),
        ({"warn_before": [86400, 86400]}, "warn_before"),
        ({"warn_before": [604800, 60]}, "warn_before"),
        ({"extension_maximum": 86400}, "extension_maximum"),
        ({"sleep_after": 86400, "never_sleep": True}, "sleep_after"),
        ({}, "sleep_after"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_by_its_field(made, people, body, field):
    client = signed_in(people.dan)
    refused(client.post("/api/v1/lifecycle-policies", {"virtual_cluster": str(made().pk), **body}, "json"), field)


def test_a_policy_counts_for_what_its_scope_holds_and_the_narrower_one_wins(made, book, world, people):
    row, other = made("one", days=4), made("two", days=4)
    olivia = signed_in(world.olivia)
    for body in (
        {"organization": "acme", "sleep_after": 3 * 86400},
        {"virtual_cluster": str(row.pk), "never_sleep": True},
    ):
        assert olivia.post("/api/v1/lifecycle-policies", body, "json").status_code == 201
    problem(olivia.post("/api/v1/lifecycle-policies", {"organization": "acme", "sleep_after": 9999}, "json"), 409)
    problem(signed_in(people.dan).post("/api/v1/lifecycle-policies", {"project": "acme/payments"}, "json"), 403)
    assert {case.cluster: decision.action for case, decision in _preview(None, book)} == {other: "sleep"}


# --- what it costs ----------------------------------------------------------------------------------------------------


def test_a_sweep_over_ten_thousand_clusters_takes_the_statements_of_one_over_ten(made, book, world, tell):
    swept()
    few = _statements(world, book, 10, NOW)
    VirtualCluster.objects.all().delete()
    started = time.perf_counter()
    many = _statements(world, book, 10_000, NOW + HOUR)
    seconds = time.perf_counter() - started
    tell(f"a sweep that warns of 10,000 clusters: {many} statements, with their making {seconds:.1f} s")
    assert many == few
    assert last_run().warned == 10_000
    assert VirtualCluster.objects.filter(cleanup_at=NOW + HOUR + 7 * DAY).count() == 10_000


def _statements(world, book, count, now) -> int:
    VirtualCluster.objects.bulk_create(
        VirtualCluster(
            name=f"c-{number}",
            project=world.payments,
            owner_user=world.olivia,
            creator=world.olivia,
            kubernetes_version="1.36.3",
            chart_version="0.36.1",
            size="small",
            phase=VirtualClusterPhase.READY,
        )
        for number in range(count)
    )
    VirtualCluster.objects.update(created_at=now - 100 * DAY)
    with CaptureQueriesContext(connection) as statements:
        started = time.process_time()  # of this process alone: others may be at work beside it
        ran(now=now, read_signals=book)
        assert time.process_time() - started < 10
    return len(statements)


@pytest.mark.django_db(transaction=True)
def test_of_two_sweeps_at_once_one_does_it_all(made, book):
    made("a", days=100, **DUE)
    made("b", days=84)
    swept()
    begin, ended = Barrier(2), []

    def run() -> None:
        begin.wait()
        ended.append(sweep(now=NOW, read_signals=book))
        connection.close()

    threads = [Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ended) == 2
    assert (deletions(), Notification.objects.filter(kind="cleanup-warning").count()) == (1, 1)
    assert sum(run.deleted for run in ended if run) == 1


def test_the_platform_needs_no_role(made, book):
    row = made(days=100, **DUE)
    kept = virtual_cluster_extend(virtual_cluster=row, seconds=86400, actor=MARINA, now=NOW)
    assert kept.cleanup_at is None
