"""Rollouts on the command line."""

from __future__ import annotations

from typing import Any

from marina_cli.text import Json

from tests.cli.api_server import Answer, ApiServer
from tests.cli.conftest import Run

PROJECT: Json = {"id": "p1", "name": "payments", "organization": {"id": "o1", "name": "acme"}}
COUNTS: Json = {"total": 3, "queued": 3, "running": 0, "soaking": 0, "succeeded": 0, "failed": 0, "skipped": 0}
KEY = "01a215d6-5a33-7c41-9f0e-6c1d2b7a9e10"


def rollout(**more: Any) -> Json:
    return {
        "id": KEY,
        "name": "spring",
        "action": "upgrade",
        "project": PROJECT,
        "organization": PROJECT["organization"],
        "created_by": {"handle": "olivia", "name": "olivia"},
        "selector": {"labels": {"tier": "dev"}, "kubernetes_version": "1.35", "host": ""},
        "to": {"kubernetes_version": "1.36.3", "chart_version": "", "host": ""},
        "state": "Running",
        "message": "Wave 1 is at work.",
        "clusters": COUNTS,
        "wave": 1,
        "waves": [{"number": 1, **COUNTS, "total": 1, "queued": 1}, {"number": 2, **COUNTS, "total": 2, "queued": 2}],
        "pause_seconds": 600,
        "soak_seconds": 0,
        "failure_budget": "1",
        "failures_allowed": 1,
        "max_parallel": 5,
        "created_at": "2026-11-23T10:00:00Z",
        "members": [
            {"wave": wave, "virtual_cluster": {"name": name, "project": PROJECT}}
            for wave, name in ((1, "a"), (2, "b"), (2, "c"))
        ],
        **more,
    }


def planned(server: ApiServer) -> None:
    server.say_once("POST", "/rollouts", Answer(201, rollout(), {"Marina-Dry-Run": "true"}))


def found(server: ApiServer, **more: Any) -> None:
    server.say_once("GET", "/rollouts", Answer(body={"next": None, "results": [rollout(**more)]}))


def test_the_waves_are_shown_before_it_begins(server: ApiServer, run: Run) -> None:
    planned(server)
    server.say_once("POST", "/rollouts", Answer(201, rollout()))
    result = run(
        *("rollout", "create", "spring", "--kubernetes", "1.36.3", "--project", "acme/payments", "--label", "tier=dev"),
        *("--on-version", "1.35", "--waves", "1, 100%", "--pause", "10m", "--failures", "1", "--soak", "5m"),
        *("--max-parallel", "7"),
    )
    assert result.exit_code == 0, result.output
    assert "wave 1 (1): acme/payments/a" in result.stdout
    assert "wave 2 (2): acme/payments/b, acme/payments/c" in result.stdout
    assert "The rollout spring has begun." in result.stdout
    tried, made = server.asked("POST", "/rollouts")
    assert (
        tried.body
        == made.body
        == {
            "name": "spring",
            "action": "upgrade",
            "project": "acme/payments",
            "selector": {"labels": {"tier": "dev"}, "kubernetes_version": "1.35"},
            "to": {"kubernetes_version": "1.36.3"},
            "waves": ["1", "100%"],
            "pause_seconds": 600,
            "soak_seconds": 300,
            "failure_budget": "1",
            "max_parallel": 7,
        }
    )


def test_a_dry_run_begins_nothing(server: ApiServer, run: Run) -> None:
    planned(server)
    result = run("rollout", "create", "spring", "--chart", "0.37.0", "--project", "acme/payments", "--dry-run")
    assert result.exit_code == 0, result.output
    assert len(server.asked("POST", "/rollouts")) == 1
    assert "this was a dry run" in result.stderr


def test_what_is_not_said_or_said_twice_is_refused_before_anything_is_sent(server: ApiServer, run: Run) -> None:
    for words in (
        (),
        ("--kubernetes", "1.36.3", "--to", "west"),
        ("--kubernetes", "1.36.3", "--platform", "--organization", "acme"),
        ("--kubernetes", "1.36.3", "--pause", "soon"),
        ("--evacuate", "east", "--on-host", "west"),
    ):
        assert run("rollout", "create", "spring", "--project", "acme/payments", *words).exit_code == 2, words
    assert not server.asked("POST", "/rollouts")


def test_a_pause_can_wait_for_somebody(server: ApiServer, run: Run) -> None:
    planned(server)
    run("rollout", "create", "spring", "--kubernetes", "1.36", "--pause", "ask", "-p", "acme/payments", "--dry-run")
    assert server.asked("POST", "/rollouts")[0].body["pause_seconds"] is None


def test_they_are_listed_and_shown_with_each_cluster(server: ApiServer, run: Run) -> None:
    found(server)
    listed = run("rollout", "list").stdout
    assert "acme/payments" in listed
    assert "upgrade to 1.36.3" in listed
    found(server)
    member = {
        "virtual_cluster": {"name": "a", "project": PROJECT},
        "wave": 1,
        "state": "Failed",
        "message": "No way.",
    }
    server.say_once("GET", f"/rollouts/{KEY}/members", Answer(body={"next": None, "results": [member]}))
    shown = run("rollout", "get", "spring").stdout
    assert "tier=dev, version 1.35" in shown
    assert "No way." in shown


def test_it_is_watched_until_it_ends_and_the_exit_code_says_how(server: ApiServer, run: Run) -> None:
    for state, code in (("Succeeded", 0), ("Halted", 1), ("Completed", 1), ("Paused", 1)):
        found(server)
        busy = {**COUNTS, "queued": 2, "running": 1}
        server.say_once("GET", f"/rollouts/{KEY}", Answer(body=rollout(clusters=busy)))
        server.say_once("GET", f"/rollouts/{KEY}", Answer(body=rollout(state=state, message="So it is.")))
        result = run("rollout", "watch", "spring")
        assert result.exit_code == code, result.output
        assert "2 queued, 1 running" in result.stderr
    found(server)
    assert run("rollout", "watch", "spring", "--timeout", "0").exit_code == 7


def test_it_is_paused_resumed_aborted_and_retried(server: ApiServer, run: Run) -> None:
    for what, state in (("pause", "Paused"), ("resume", "Running"), ("abort", "Aborting"), ("retry", "Running")):
        found(server)
        server.say_once("POST", f"/rollouts/{KEY}/{what}", Answer(body=rollout(state=state)))
        result = run("rollout", what, "spring")
        assert result.stdout.startswith(f"The rollout spring is {state}."), result.output


def test_one_that_is_not_there_is_told(server: ApiServer, run: Run) -> None:
    server.say_once("GET", "/rollouts", Answer(body={"next": None, "results": []}))
    assert run("rollout", "get", "autumn").exit_code == 4


def test_what_is_known_against_a_cluster_is_told_before_anything_begins(server: ApiServer, run: Run) -> None:
    members = [
        {"wave": 1, "virtual_cluster": {"name": "a", "project": PROJECT}, "refused": "It is Failed.", "waits": ""},
        {
            "wave": 2,
            "virtual_cluster": {"name": "b", "project": PROJECT},
            "refused": "",
            "waits": "An export is at work.",
        },
    ]
    server.say_once("POST", "/rollouts", Answer(201, rollout(members=members), {"Marina-Dry-Run": "true"}))
    result = run("rollout", "create", "spring", "--kubernetes", "1.36.3", "--platform", "--dry-run")
    assert "acme/payments/a could not begin: It is Failed." in result.stdout
    assert "acme/payments/b has to wait: An export is at work." in result.stdout
