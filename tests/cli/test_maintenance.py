"""What Marina upgrades by itself, and which upgrades there are, on the command line."""

from __future__ import annotations

from marina_cli.text import Json

from tests.cli.api_server import Answer, ApiServer
from tests.cli.conftest import Run

AVAILABLE: Json = {
    "reason": "newer-patch",
    "message": "Kubernetes 1.35.6 is a newer patch of what it runs, 1.35.4.",
    "kubernetes_version": "1.35.6",
    "chart_version": "",
    "in_the_way": "",
}
ENDING: Json = {**AVAILABLE, "reason": "support-ends", "message": "It ends.", "kubernetes_version": "1.36.3"}
PLANNED: Json = {
    "at": "2026-11-24T02:00:00Z",
    "until": "2026-11-24T06:00:00Z",
    "cause": "patch",
    "kubernetes_version": "1.35.6",
    "chart_version": "",
}


def listed(server: ApiServer, *items: Json) -> None:
    server.say_once("GET", "/upgrade-policies", Answer(body={"next": None, "results": list(items)}))


def test_a_window_and_a_channel_are_set_for_a_cluster_and_changed(server: ApiServer, run: Run) -> None:
    key = server.add_cluster("hello")["id"]
    said = {"id": "u1", "channel": "patch", "window_cron": "0 2 * * SUN", "window_seconds": 14400, "time_zone": "UTC"}
    listed(server)
    server.say_once("POST", "/upgrade-policies", Answer(201, said))
    result = run("maintenance", "set", "hello", "--channel", "patch", "--window", "0 2 * * SUN", "--for", "4h")
    assert result.exit_code == 0, result.output
    assert "lasts    4 h" in result.stdout
    assert server.asked("POST", "/upgrade-policies")[0].body == {
        "virtual_cluster": key,
        "channel": "patch",
        "window_cron": "0 2 * * SUN",
        "window_seconds": 14400,
    }
    listed(server, {**said, "virtual_cluster": {"id": key}})
    server.say_once("PATCH", "/upgrade-policies/u1", Answer(body={**said, "window_cron": ""}))
    assert run("maintenance", "set", "hello", "--clear", "window").exit_code == 0
    assert server.asked("PATCH", "/upgrade-policies/u1")[0].body == {"window_cron": "", "window_seconds": None}
    assert run("maintenance", "set", "hello").exit_code == 2


def test_a_cluster_shows_what_counts_and_what_is_planned(server: ApiServer, run: Run) -> None:
    upgrade = {"available": [AVAILABLE], "channel": "patch", "planned": PLANNED, "blocked": "No image."}
    server.add_cluster("hello", upgrade=upgrade)
    listed(server)
    shown = run("maintenance", "get", "hello").stdout
    assert "upgrade to 1.35.6, from 2026-11-24" in shown
    assert "No image." in shown
    shown = run("get", "hello").stdout
    assert "Kubernetes 1.35.6 is a newer patch of what it runs" in shown
    assert "(patch)" in shown


def test_lists_tell_which_upgrade_there_is_and_mark_an_end_of_support(server: ApiServer, run: Run) -> None:
    server.add_cluster("fine")
    server.add_cluster("patch", upgrade={"available": [AVAILABLE]})
    server.add_cluster("ending", upgrade={"available": [ENDING, AVAILABLE]})
    server.add_cluster("stuck", upgrade={"available": [{**ENDING, "in_the_way": "Its host is too old."}]})
    lines = {line.split()[0]: line for line in run("list", "--all").stdout.splitlines()}
    assert "1.35.6" in lines["patch"]
    assert "1.36.3!" in lines["ending"]
    assert "in the way!" in lines["stuck"]


def test_it_is_listed_and_taken_back(server: ApiServer, run: Run) -> None:
    said = {"id": "u1", "channel": "minor", "window_cron": "", "organization": {"id": "o1", "name": "acme"}}
    listed(server, said)
    assert "minor" in run("maintenance", "list").stdout
    key = server.add_cluster("hello")["id"]
    listed(server, {**said, "virtual_cluster": {"id": key}})
    server.say_once("DELETE", "/upgrade-policies/u1", Answer(204, None))
    assert "says nothing of its maintenance any more" in run("maintenance", "delete", "hello").stdout
    listed(server)
    assert run("maintenance", "delete", "hello").exit_code == 4
