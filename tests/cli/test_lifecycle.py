"""Schedules, policies, and what becomes of clusters that nobody uses, on the command line."""

from __future__ import annotations

from typing import Any

from marina_cli.text import Json

from tests.cli.api_server import Answer, ApiServer
from tests.cli.conftest import Run

DATE = "2026-12-24T10:00:00Z"
PROJECT: Json = {"id": "p1", "name": "payments", "organization": {"id": "o1", "name": "acme"}}
TIMES: Json = {"sleep_cron": "0 20 * * *", "wake_cron": "", "export_cron": "", "time_zone": "UTC", "enabled": True}


def listed(server: ApiServer, path: str, *items: Json) -> None:
    server.say_once("GET", path, Answer(body={"next": None, "previous": None, "results": list(items)}))


def body_of(server: ApiServer, method: str, path: str) -> Any:
    return server.asked(method, path)[-1].body


def test_a_cluster_without_a_schedule_gets_one_and_one_that_has_it_is_changed(server: ApiServer, run: Run) -> None:
    key = server.add_cluster("hello")["id"]
    listed(server, "/sleep-schedules")
    server.say_once("POST", "/sleep-schedules", Answer(201, {"id": "s1", **TIMES}))
    result = run("schedule", "set", "hello", "--sleep", "0 20 * * *")
    assert result.exit_code == 0, result.output
    assert body_of(server, "POST", "/sleep-schedules") == {"virtual_cluster": key, "sleep_cron": "0 20 * * *"}
    listed(server, "/sleep-schedules", {"id": "s1", **TIMES, "virtual_cluster": {"id": key}})
    server.say_once("PATCH", "/sleep-schedules/s1", Answer(body={"id": "s1", **TIMES, "enabled": False}))
    assert "Schedule of hello (off)" in run("schedule", "set", "hello", "--off").stdout
    assert body_of(server, "PATCH", "/sleep-schedules/s1") == {"enabled": False}


def test_what_was_set_is_told_with_when_it_acts_next_on_the_clock_of_its_zone(server: ApiServer, run: Run) -> None:
    server.add_cluster("hello", schedule={"next_sleep_at": "2026-11-26T19:00:00Z", "sleep_skipped_at": DATE})
    listed(server, "/sleep-schedules")
    server.say_once("POST", "/sleep-schedules", Answer(201, {"id": "s1", **TIMES, "time_zone": "Europe/Berlin"}))
    shown = run("schedule", "set", "hello", "--sleep", "0 20 * * *", "--zone", "Europe/Berlin").stdout
    assert "2026-11-26 20:00 Europe/Berlin" in shown
    assert "2026-12-24 11:00 Europe/Berlin" in shown


def test_a_cluster_shows_the_schedule_of_its_project_where_it_has_none(server: ApiServer, run: Run) -> None:
    server.add_cluster("hello", schedule={"next_sleep_at": DATE})
    listed(server, "/sleep-schedules")
    listed(server, "/sleep-schedules", {"id": "s1", **TIMES, "project": PROJECT})
    shown = run("schedule", "get", "hello").stdout
    assert "Schedule of acme/payments, which hello follows" in shown
    assert "2026-12-24 10:00 UTC" in shown


def test_a_cluster_whose_schedule_is_off_says_that_it_follows_none(server: ApiServer, run: Run) -> None:
    key = server.add_cluster("hello", schedule={})["id"]
    listed(server, "/sleep-schedules", {"id": "s1", **TIMES, "enabled": False, "virtual_cluster": {"id": key}})
    result = run("schedule", "get", "hello")
    assert result.exit_code == 0, result.output
    assert "hello follows no schedule, nor its project's." in result.stdout


def test_who_sees_one_cluster_alone_sees_its_times_and_who_has_none_is_told(server: ApiServer, run: Run) -> None:
    server.add_cluster("hello", schedule={"next_sleep_at": DATE})
    server.add_cluster("bare", schedule={})
    for _ in range(4):
        listed(server, "/sleep-schedules")
    assert "2026-12-24" in run("schedule", "get", "hello").stdout
    assert run("schedule", "get", "bare").exit_code == 4


def test_what_is_asleep_says_when_it_wakes(server: ApiServer, run: Run) -> None:
    asleep = {"since": DATE, "by": "dan", "why": "Weekend."}
    server.add_cluster("hello", asleep=asleep, schedule={"next_wake_at": DATE})
    server.add_cluster("other", asleep=asleep, schedule={})
    assert "put to sleep by dan: Weekend; it wakes 2026-12-24" in run("get", "hello").stdout
    assert "Weekend; it wakes when somebody uses it" in run("get", "other").stdout
    server.add_cluster("third", asleep=asleep, phase="Waking", schedule={"next_wake_at": DATE})
    assert "Weekend; it is waking up" in run("get", "third").stdout


def test_not_tonight_and_later_say_when_it_sleeps_then(server: ApiServer, run: Run) -> None:
    item = server.add_cluster("hello", schedule={"next_sleep_at": DATE})
    for command, path in ((("skip",), "sleep-skip"), (("postpone", "--by", "2h"), "sleep-postponement")):
        server.say_once("POST", f"/virtual-clusters/{item['id']}/{path}", Answer(body=item))
        result = run("schedule", command[0], "hello", *command[1:])
        assert result.stdout.startswith("hello sleeps next at 2026-12-24"), result.output
    assert body_of(server, "POST", f"/virtual-clusters/{item['id']}/sleep-postponement") == {"by": 7200}


def test_a_policy_is_set_with_spans_as_people_write_them(server: ApiServer, run: Run) -> None:
    key = server.add_cluster("hello")["id"]
    listed(server, "/lifecycle-policies")
    server.say_once("POST", "/lifecycle-policies", Answer(201, {"id": "p1", "sleep_after": 259200}))
    result = run("policy", "set", "hello", "--sleep-after", "3d", "--warn-before", "7d,1d", "--never-delete")
    assert result.exit_code == 0, result.output
    assert body_of(server, "POST", "/lifecycle-policies") == {
        "virtual_cluster": key,
        "sleep_after": 259200,
        "warn_before": [604800, 86400],
        "never_sleep": None,
        "never_delete": True,
        "delete_after": None,
    }
    assert run("policy", "set", "hello", "--warn-before", "soon").exit_code == 2
    assert run("policy", "set", "hello").exit_code == 2


def test_a_cluster_that_is_to_be_deleted_says_so_and_is_kept_by_one_command(server: ApiServer, run: Run) -> None:
    plan = {"at": DATE, "state": "awaiting-consent", "why": "Nobody has used it.", "kept_until": None}
    item = server.add_cluster("hello", cleanup=plan)
    shown = run("get", "hello").stdout
    assert "it takes its owner's yes: Nobody has used it." in shown
    kept = {**item, "cleanup": {"at": None, "kept_until": DATE}}
    server.say_once("POST", f"/virtual-clusters/{item['id']}/extension", Answer(body=kept))
    assert "hello is kept until 2026-12-24" in run("extend", "hello", "--for", "7d").stdout
    living = {**kept, "expires_at": "2027-01-01T00:00:00Z"}
    server.say_once("POST", f"/virtual-clusters/{item['id']}/extension", Answer(body=living))
    assert "hello lives until 2027-01-01" in run("extend", "hello", "--for", "7d").stdout
    assert body_of(server, "POST", f"/virtual-clusters/{item['id']}/extension") == {"by": 604800}
    server.say_once("POST", f"/virtual-clusters/{item['id']}/cleanup-consent", Answer(body=item))
    assert "hello may be deleted from 2026-12-24" in run("cleanup", "consent", "hello", "--yes").stdout


POLICY: Json = {
    "sleep_after": None,
    "delete_after": 129600,
    "warn_before": [86400, 604800],
    "extension_maximum": 2592000,
    "origins": {"sleep_after": "the project acme/payments", "delete_after": "the cluster hello"},
}


def test_what_the_next_sweep_would_do_is_told_apart_from_what_stands(server: ApiServer, run: Run) -> None:
    item = server.add_cluster("hello", cleanup=None, expires_at="2027-01-01T00:00:00Z")
    told: Json = {
        "virtual_cluster": {"name": "hello", "project": PROJECT},
        "action": "warn",
        "why": "Nobody has used it since June.",
        "cleanup_at": DATE,
        "warned_at": ["2026-11-23T10:00:00Z"],
        "policy": POLICY,
    }
    server.say_once("GET", f"/virtual-clusters/{item['id']}/cleanup", Answer(body=told))
    shown = run("cleanup", "get", "hello").stdout
    assert "warns its owner; it is to be deleted 2026-12-24 10:00 UTC then" in shown
    assert "\n  warned  " not in shown
    assert "\n  to be deleted  " not in shown
    assert "2027-01-01" in shown
    stands = {"at": DATE, "state": "awaiting-consent"}
    server.clusters[item["id"]]["cleanup"] = stands
    server.say_once("GET", f"/virtual-clusters/{item['id']}/cleanup", Answer(body={**told, "action": "nothing"}))
    shown = run("cleanup", "get", "hello").stdout
    assert "2026-12-24 10:00 UTC; it takes its owner's yes" in shown
    assert "\n  warned " in shown


def test_a_policy_is_told_with_what_counts_and_no_span_is_rounded(server: ApiServer, run: Run) -> None:
    key = server.add_cluster("hello")["id"]
    listed(server, "/lifecycle-policies")
    server.say_once("GET", f"/virtual-clusters/{key}/cleanup", Answer(body={"policy": POLICY}))
    shown = run("policy", "get", "hello").stdout
    assert "never (by the project acme/payments)" in shown
    assert "1d12h (by the cluster hello)" in shown
    assert "7d, 1d" in shown


def test_who_says_never_takes_the_span_back_that_was_said_before(server: ApiServer, run: Run) -> None:
    key = server.add_cluster("hello")["id"]
    for given, sent in (
        (("--never-delete",), {"never_delete": True, "delete_after": None}),
        (("--delete-after", "9d"), {"delete_after": 777600, "never_delete": None}),
    ):
        listed(server, "/lifecycle-policies", {"id": "p1", "virtual_cluster": {"id": key}})
        server.say_once("PATCH", "/lifecycle-policies/p1", Answer(body={"id": "p1"}))
        assert run("policy", "set", "hello", *given).exit_code == 0
        assert body_of(server, "PATCH", "/lifecycle-policies/p1") == sent


def test_the_preview_tells_what_is_due_and_that_it_is_stopped(server: ApiServer, run: Run) -> None:
    due = {
        "virtual_cluster": {"name": "hello", "project": PROJECT},
        "action": "warn",
        "why": "Nobody has used it since June.",
        "cleanup_at": DATE,
        "unknown": [],
    }
    server.say_once("GET", "/cleanup/preview", Answer(body={"stopped": True, "clusters": [due]}))
    result = run("cleanup", "preview")
    assert "acme/payments/hello" in result.stdout
    assert "Nobody has used it since June." in result.stdout
    assert "stopped" in result.stderr


def test_the_log_can_be_of_one_cluster(server: ApiServer, run: Run) -> None:
    key = server.add_cluster("hello")["id"]
    listed(server, "/cleanup/items")
    assert "Nothing was done to hello." in run("cleanup", "log", "hello").stderr
    assert server.asked("GET", "/cleanup/items")[-1].query["virtual_cluster"] == key


def test_platform_staff_stop_it_with_a_reason_and_let_it_go_on(server: ApiServer, run: Run) -> None:
    stopped = {"stopped": True, "reason": "a look", "changed_by": {"handle": "op"}, "changed_at": DATE}
    server.say_once("PUT", "/cleanup/switch", Answer(body=stopped))
    assert "stopped by op since" in run("cleanup", "stop", "--reason", "a look").stdout
    assert body_of(server, "PUT", "/cleanup/switch") == {"stopped": True, "reason": "a look"}
    assert run("cleanup", "stop").exit_code == 2
    server.say_once("PUT", "/cleanup/switch", Answer(body={"stopped": False}))
    assert run("cleanup", "resume").stdout == "The cleanup is on.\n"


def test_a_whole_project_is_put_off_and_says_of_each_cluster_when_it_sleeps(server: ApiServer, run: Run) -> None:
    told = {"next_sleep_at": DATE, "put_off_by": "dan", "put_off_for": "project"}
    own = {**told, "put_off_by": "ada", "put_off_for": "virtual-cluster"}
    night = {"project": PROJECT, "virtual_clusters": [{"name": "a", "schedule": told}, {"name": "b", "schedule": own}]}
    for command, path in ((("skip",), "sleep-skip"), (("postpone", "--by", "2h"), "sleep-postponement")):
        listed(server, "/projects", PROJECT)
        server.say_once("POST", f"/projects/p1/{path}", Answer(body=night))
        result = run("schedule", *command, "--project", "acme/payments")
        assert result.exit_code == 0, result.output
        assert result.stdout.splitlines() == [
            f"{name} sleeps next at {result.stdout.split(' at ')[1].splitlines()[0]}" for name in "ab"
        ]
        assert "b was put off by itself, and stays so." in result.stderr
    assert body_of(server, "POST", "/projects/p1/sleep-postponement") == {"by": 7200}


def test_a_cluster_shows_who_put_it_off(server: ApiServer, run: Run) -> None:
    server.add_cluster("hello", schedule={"next_sleep_at": DATE, "put_off_by": "dan", "put_off_for": "project"})
    assert "put off by dan for the whole project" in run("get", "hello").stdout
