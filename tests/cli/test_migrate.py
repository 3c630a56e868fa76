"""`marina migrate`: the report is shown before anything begins, and nobody's choice is made for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.api_server import Answer, ApiServer, Request
from tests.cli.conftest import Run

PLAIN: dict[str, Any] = {
    "plan": ["It goes from east to west."],
    "findings": [{"weight": "note", "code": "node-ports", "about": "shop/np:30080", "message": "Others.", "hint": ""}],
    "expected": {"write freeze": 8.0},
}
VOLUMES = {
    "weight": "choice",
    "code": "bound-volumes",
    "about": "shop/data (4 GiB)",
    "message": "What volumes hold does not move.",
    "hint": "Copying comes later.",
    "choice": "volumes",
    "options": {"recreate-empty": "New, empty volumes."},
}
JOBS = {
    "weight": "choice",
    "code": "running-jobs",
    "about": "shop/load",
    "message": "1 Job is running.",
    "choice": "jobs",
    "options": {"restart": "Done again.", "wait": "It waits."},
}
CORDONED = {"weight": "blocks", "code": "host-cordoned", "about": "west", "message": "west: It is cordoned."}


def with_findings(*findings: dict[str, Any]) -> dict[str, Any]:
    return {**PLAIN, "findings": [*findings, *PLAIN["findings"]]}


class MoveServer(ApiServer):
    """Whose preflights find `report`."""

    def __init__(self) -> None:
        super().__init__()
        self.report = PLAIN

    def __enter__(self) -> MoveServer:
        super().__enter__()
        return self

    def _virtual_clusters(self, request: Request, rest: str) -> Answer:
        identity, _, action = rest.partition("/")
        if action == "forget-retained":
            return self._started("virtual_cluster", self.clusters[identity], "remove-placement")
        if request.method != "POST" or not action.startswith("migrate"):
            return super()._virtual_clusters(request, rest)
        kind = "preflight" if action == "migrate-preflight" else "migrate"
        answer = self._started("virtual_cluster", self.clusters[identity], kind)
        operation = self.operations[answer.body["operation"]["id"]]
        operation["report"] = self.report
        return Answer(202, {"operation": dict(operation)}, answer.headers)


@pytest.fixture
def server() -> Iterator[MoveServer]:
    with MoveServer() as running:
        running.add_cluster("shop")
        yield running


@pytest.fixture
def at_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True, raising=False)


def moves(server: MoveServer) -> list[Any]:
    return [each.body for each in server.asked("POST", "/virtual-clusters") if each.path.endswith("/migrate")]


def looks(server: MoveServer) -> list[Any]:
    return [each.body for each in server.asked("POST", "/virtual-clusters") if each.path.endswith("-preflight")]


def test_the_report_is_shown_and_the_move_is_watched_to_its_end(server: MoveServer, run: Run) -> None:
    result = run("migrate", "shop", "--to", "west")
    assert result.exit_code == 0, result.output
    assert moves(server) == looks(server) == [{"to": "west"}]
    for told in ("It goes from east to west.", "Worth knowing", "shop/np:30080", "write freeze: 8"):
        assert told in result.stderr
    assert result.stdout.startswith("shop was moved in")


def test_a_preflight_only_looks(server: MoveServer, run: Run) -> None:
    server.report = with_findings(CORDONED, VOLUMES)
    result = run("migrate", "shop", "--to", "west", "--preflight")
    assert result.exit_code == 1, "it would not begin"
    assert "1 thing is in the way" in result.stderr
    assert moves(server) == []
    for told in ("In the way", "west: It is cordoned.", "To choose", "--volumes recreate-empty: New, empty volumes."):
        assert told in result.stdout
    as_json = run("migrate", "shop", "--to", "west", "--preflight", "-o", "json")
    assert json.loads(as_json.stdout)["report"] == server.report


def test_a_script_can_tell_by_how_a_preflight_ends_whether_the_move_would_begin(server: MoveServer, run: Run) -> None:
    assert run("migrate", "shop", "--to", "west", "--preflight").exit_code == 0
    server.report = with_findings(VOLUMES)
    refused = run("migrate", "shop", "--to", "west", "--preflight")
    assert (refused.exit_code, "Add: --volumes recreate-empty" in refused.stderr) == (1, True)
    assert run("migrate", "shop", "--to", "west", "--preflight", "--volumes", "recreate-empty").exit_code == 0
    assert moves(server) == []


def test_what_is_in_the_way_ends_it_before_it_begins(server: MoveServer, run: Run) -> None:
    server.report = with_findings(CORDONED)
    result = run("migrate", "shop", "--to", "west", "--yes")
    assert result.exit_code == 1
    assert "1 thing is in the way" in result.stderr
    assert moves(server) == []


def test_no_choice_is_made_by_yes_or_by_a_script(server: MoveServer, run: Run) -> None:
    server.report = with_findings(VOLUMES, JOBS)
    for options in ((), ("--yes",)):
        result = run("migrate", "shop", "--to", "west", *options)
        assert result.exit_code == 1
        assert "Add: --volumes recreate-empty --jobs restart|wait" in result.stderr
    assert moves(server) == []
    chosen = run("migrate", "shop", "--to", "west", "--volumes", "recreate-empty", "--jobs", "wait")
    assert chosen.exit_code == 0, chosen.output
    assert moves(server) == [{"to": "west", "choices": {"volumes": "recreate-empty", "jobs": "wait"}}]


def test_what_is_bound_to_the_host_is_chosen_by_options_of_its_own(server: MoveServer, run: Run) -> None:
    options = ("--node-ports", "renumber", "--addresses", "remove", "--names", "proceed", "--tokens", "reissue")
    result = run("migrate", "shop", "--to", "west", *options)
    assert result.exit_code == 0, result.output
    choices = {"node-ports": "renumber", "addresses": "remove", "names": "proceed", "tokens": "reissue"}
    assert moves(server) == [{"to": "west", "choices": choices}]
    for wrong in (("--node-ports", "proceed"), ("--addresses", "move"), ("--names", "keep"), ("--tokens", "keep")):
        assert run("migrate", "shop", *wrong).exit_code == 2


@pytest.mark.usefixtures("at_terminal")
def test_at_a_terminal_it_asks_for_each_choice_and_then_whether(server: MoveServer, run: Run) -> None:
    server.report = with_findings(VOLUMES, JOBS)
    result = run("migrate", "shop", "--jobs", "restart", stdin="recreate-empty\ny\n")
    assert result.exit_code == 0, result.output
    assert moves(server) == [{"choices": {"volumes": "recreate-empty", "jobs": "restart"}}]


@pytest.mark.usefixtures("at_terminal")
@pytest.mark.parametrize("stdin", ["stop\n", "recreate-empty\nn\n"])
def test_who_thinks_twice_stops_it(server: MoveServer, run: Run, stdin: str) -> None:
    server.report = with_findings(VOLUMES)
    assert run("migrate", "shop", stdin=stdin).exit_code == 1
    assert moves(server) == []


def test_orders_of_workloads_go_along_as_the_server_names_them(server: MoveServer, run: Run) -> None:
    result = run("migrate", "shop", "--back", "--order", "Deployment.apps/shop/web=start-first")
    assert result.exit_code == 0, result.output
    assert moves(server) == [{"back": True, "orders": {"Deployment.apps shop/web": "start-first"}}]


@pytest.mark.parametrize(
    "order", ["web", "Deployment.apps/shop/web", "Deployment.apps/shop/web=later", "a/b=stop-first"]
)
def test_an_order_that_means_nothing_is_refused_before_anything_is_asked(
    server: MoveServer, run: Run, order: str
) -> None:
    result = run("migrate", "shop", "--order", order)
    assert result.exit_code == 2
    assert not looks(server)


def test_to_and_back_at_once_is_refused(server: MoveServer, run: Run) -> None:
    assert run("migrate", "shop", "--to", "west", "--back").exit_code == 2


def test_staff_name_what_they_do_not_see_by_its_id(server: MoveServer, run: Run) -> None:
    (identity,) = server.clusters
    assert run("migrate", identity, "--to", "west", "--detach").exit_code == 0
    assert not server.asked("GET", "/virtual-clusters")


def test_a_move_that_failed_is_told_with_its_reason(server: MoveServer, run: Run) -> None:
    server.scripted.append(lambda request: fail_moves(server, request))
    result = run("migrate", "shop", "--to", "west")
    assert result.exit_code == 1
    assert "migrate of shop failed" in result.stderr


def fail_moves(server: MoveServer, request: Request) -> Answer | None:
    if request.path.endswith("/migrate"):
        server.outcome = "Failed"
        return server._route(request)
    return None


def test_a_cluster_shows_where_it_came_from_and_that_it_is_frozen(server: MoveServer, run: Run) -> None:
    (cluster,) = server.clusters.values()
    cluster["frozen"] = {"since": "2026-11-23T10:00:00Z", "why": "It is being moved to west."}
    cluster["retained"] = [{"host": {"name": "east"}, "until": "2026-11-30T10:00:00Z"}]
    result = run("get", "shop")
    assert "It is being moved to west." in result.stdout
    assert "east, kept asleep until 2026-11-30" in result.stdout


# --- giving up what a move left ---------------------------------------------------------------------------------------


def forgets(server: MoveServer) -> list[Any]:
    return [each.body for each in server.asked("POST", "/virtual-clusters") if each.path.endswith("/forget-retained")]


def test_what_it_left_is_given_up_and_nothing_is_moved(server: MoveServer, run: Run) -> None:
    result = run("migrate", "shop", "--forget")
    assert result.exit_code == 0, result.output
    assert result.stdout == "What shop left is being removed.\n"
    assert "marina op watch" in result.stderr
    assert (forgets(server), moves(server), looks(server)) == ([{}], [], [])


def test_giving_up_can_be_waited_for_and_names_the_host_where_there_are_several(server: MoveServer, run: Run) -> None:
    result = run("migrate", "shop", "--forget", "--kept-on", "east", "--wait", "--yes")
    assert result.exit_code == 0, result.output
    assert result.stdout == "What shop left is removed.\n"
    assert forgets(server) == [{"host": "east"}]


@pytest.mark.usefixtures("at_terminal")
def test_at_a_terminal_it_asks_before_there_is_no_way_back(server: MoveServer, run: Run) -> None:
    refused = run("migrate", "shop", "--forget", stdin="n\n")
    assert (refused.exit_code, forgets(server)) == (1, [])
    assert "It cannot go --back there then." in refused.stderr
    assert run("migrate", "shop", "--forget", stdin="y\n").exit_code == 0
    assert forgets(server) == [{}]


@pytest.mark.parametrize("options", [("--forget", "--to", "west"), ("--forget", "--back"), ("--kept-on", "east")])
def test_giving_up_goes_with_no_move(server: MoveServer, run: Run, options: tuple[str, ...]) -> None:
    assert run("migrate", "shop", *options).exit_code == 2
    assert forgets(server) == []
