"""`marina host lost`, `found` and `evacuate`: what it would mean is shown before anything is done."""

from __future__ import annotations

from typing import Any

import pytest
from marina_cli.text import Json

from tests.cli.api_server import Answer, ApiServer
from tests.cli.conftest import Run

EAST: Json = {"id": "h1", "name": "east", "phase": "Connected", "cordoned": True, "lost_at": "2026-11-23T10:00:00Z"}
DRY = {"Marina-Dry-Run": "true"}


def lost(**more: Any) -> Json:
    export = {"id": "e1", "finished_at": "2026-11-23T07:00:00Z", "cause": "schedule", "objects": 7}
    cluster: Json = {
        "id": "c1",
        "name": "hello",
        "project": "acme/payments",
        "asleep": False,
        "export": export,
        "comes_back": "As it was exported on 2026-11-23 07:00 UTC (schedule).",
        "to": "west",
        "waits": "",
        "operation": "o1",
    }
    never = {**cluster, "name": "never", "export": None, "to": "", "waits": "No other host cluster can take it."}
    return {"host_cluster": EAST, "clusters": [cluster, never], "hidden": 0, "moves_put_back": [], **more}


@pytest.fixture
def east(server: ApiServer) -> ApiServer:
    for _ in range(2):
        server.say_once("GET", "/host-clusters", Answer(body={"next": None, "results": [EAST]}))
    return server


def test_what_would_be_lost_is_shown_before_a_host_is_given_up(east: ApiServer, run: Run) -> None:
    east.say_once("POST", "/host-clusters/h1/lost", Answer(202, lost(), DRY))
    east.say_once("POST", "/host-clusters/h1/lost", Answer(202, lost(hidden=1)))
    result = run("host", "lost", "east", "--reason", "It burned.", "--yes")
    assert result.exit_code == 0, result.output
    assert "As it was exported on 2026-11-23 07:00 UTC (schedule)." in " ".join(result.output.split())
    assert "never has to wait: No other host cluster can take it." in " ".join(result.output.split())
    assert "east is given up. 3 clusters will be made again on other hosts." in result.output
    asked = [each.body for each in east.requests if each.path == "/host-clusters/h1/lost"]
    assert asked == [{"reason": "It burned.", "force": False, "empty": False}] * 2


def test_a_dry_run_gives_nothing_up(east: ApiServer, run: Run) -> None:
    east.say_once("POST", "/host-clusters/h1/lost", Answer(202, lost(), DRY))
    result = run("host", "lost", "east", "--dry-run")
    assert result.exit_code == 0, result.output
    assert [each.method for each in east.requests if each.path.endswith("/lost")] == ["POST"]


def test_a_lost_host_is_found(east: ApiServer, run: Run) -> None:
    east.say_once("POST", "/host-clusters/h1/found", Answer(body={**EAST, "lost_at": None}))
    assert "east counts as lost no more." in run("host", "found", "east").output


def test_a_lost_host_is_listed_as_such(east: ApiServer, run: Run) -> None:
    assert "Connected, lost" in run("host", "list").output


def test_a_host_is_emptied_with_choices_for_all(east: ApiServer, run: Run) -> None:
    rollout = {"id": "r1", "name": "evacuate-east", "clusters": {"total": 2}}
    body = {"host_cluster": EAST, "rollout": rollout}
    east.say_once("POST", "/host-clusters/h1/evacuate", Answer(202, body, DRY))
    east.say_once("POST", "/host-clusters/h1/evacuate", Answer(202, body))
    options = ("--volumes", "recreate-empty", "--max-parallel", "2", "--choose", "differences=accept", "--yes")
    result = run("host", "evacuate", "east", *options, "--node-ports", "renumber")
    assert result.exit_code == 0, result.output
    assert "2 clusters are moved away from it" in result.output
    assert "marina rollout watch evacuate-east" in result.output
    asked = [each.body for each in east.requests if each.path == "/host-clusters/h1/evacuate"][-1]
    assert asked == {
        "max_parallel": 2,
        "choices": {"volumes": "recreate-empty", "node-ports": "renumber", "differences": "accept"},
    }


def test_a_host_on_which_nothing_is_is_cordoned(east: ApiServer, run: Run) -> None:
    for headers in (DRY, {}):
        body = {"host_cluster": EAST, "rollout": None}
        east.say_once("POST", "/host-clusters/h1/evacuate", Answer(202, body, headers))
    assert "east is cordoned. Nothing is on it." in run("host", "evacuate", "east", "--yes").output


def test_what_emptying_a_host_would_mean_is_shown_and_nothing_done(east: ApiServer, run: Run) -> None:
    project = {"name": "payments", "organization": {"name": "acme"}}
    failed = {"wave": 1, "virtual_cluster": {"name": "a", "project": project}, "refused": "It is Failed.", "waits": ""}
    rollout = {"id": "r1", "name": "evacuate-east", "clusters": {"total": 2}, "max_parallel": 5, "members": [failed]}
    east.say_once("POST", "/host-clusters/h1/evacuate", Answer(202, {"host_cluster": EAST, "rollout": rollout}, DRY))
    result = run("host", "evacuate", "east", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "east would be cordoned, and 2 clusters moved away from it." in result.stdout
    assert "a could not begin: It is Failed." in result.stdout
    assert "this was a dry run" in result.stderr
    assert len([each for each in east.requests if each.path.endswith("/evacuate")]) == 1
