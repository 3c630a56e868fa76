"""Creating and deleting several virtual clusters by one command."""

from __future__ import annotations

import json

import pytest
from marina_cli.commands.several import MOST

from tests.cli.api_server import ApiServer, problem
from tests.cli.conftest import Run

CREATE, DELETE = "/virtual-clusters/batch-create", "/virtual-clusters/batch-delete"


@pytest.fixture
def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typed comes from somebody who can be asked."""
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True, raising=False)


# --- creating ---------------------------------------------------------------------------------------------------------


def test_several_names_are_one_request_with_the_same_wish(server: ApiServer, run: Run) -> None:
    result = run("create", "a", "b", "a", "--size", "small", "--label", "team=tills")
    assert result.exit_code == 0, result.output
    (asked,) = server.asked("POST", "/")
    assert asked.path == CREATE
    same = {"project": "acme/payments", "spec": {"size": "small"}, "labels": {"team": "tills"}}
    assert asked.body == {"items": [{"name": "a", **same}, {"name": "b", **same}]}
    assert asked.headers["idempotency-key"]
    assert result.stdout == "a is being created in acme/payments.\nb is being created in acme/payments.\n"
    assert "marina op watch NAME" in result.stderr


def test_wait_shows_each_behind_its_name_and_then_what_it_is(server: ApiServer, run: Run) -> None:
    result = run("create", "a", "b", "--wait")
    assert result.exit_code == 0, result.output
    for name in ("a", "b"):
        assert f"{name}: Choose a host: done (2.0 s)" in result.stderr.splitlines()
    assert result.stdout == "a is Ready.\nb is Ready.\n"
    assert not server.asked("GET", "/operations/"), "all are asked for at once"


def test_one_that_is_refused_keeps_no_other_from_being_made(server: ApiServer, run: Run) -> None:
    server.add_cluster("b")
    result = run("create", "a", "b", "c", "-o", "name")
    assert result.exit_code == 5
    assert result.stdout == "a\nc\n"
    assert "b: Error: There is a virtual cluster b already.\nHint: Choose another name." in result.stderr


def test_all_or_nothing_names_those_that_were_refused(server: ApiServer, run: Run) -> None:
    server.add_cluster("b")
    result = run("create", "a", "b", "--all-or-nothing")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert server.asked("POST", CREATE)[0].body["all_or_nothing"] is True
    assert "  b: There is a virtual cluster b already." in result.stderr.splitlines()


def test_scripts_get_the_list_of_what_was_made(server: ApiServer, run: Run) -> None:
    printed = json.loads(run("create", "a", "b", "--wait", "-o", "json").stdout)
    assert [(each["name"], each["phase"]) for each in printed] == [("a", "Ready"), ("b", "Ready")]


def test_what_fails_or_takes_too_long_is_told_of_each(server: ApiServer, run: Run) -> None:
    server.outcome = "Failed"
    failed = run("create", "a", "b", "--wait")
    assert failed.exit_code == 1
    assert failed.stdout == ""
    for name in ("a", "b"):
        assert f"{name}: Error: provision of {name} failed at “Wait for the API server”: exceeded" in failed.stderr
    server.polls_needed = 10_000
    late = run("create", "c", "d", "--wait", "--timeout", "30s")
    assert late.exit_code == 7
    assert late.stderr.count("the work goes on") == 2


def test_a_server_that_is_away_for_a_while_is_asked_again(server: ApiServer, run: Run) -> None:
    for _ in range(5):
        server.lose_answer("GET", "/operations")
    result = run("create", "a", "b", "--wait")
    assert result.exit_code == 0, result.output
    assert "Trying again; the work goes on." in result.stderr


def test_more_than_the_server_takes_at_once_are_several_requests(server: ApiServer, run: Run) -> None:
    names = [f"c{number}" for number in range(MOST + 2)]
    assert run("create", *names, "--all-or-nothing").exit_code == 2
    assert not server.asked("POST", "/")
    result = run("create", *names, "-o", "name")
    assert result.stdout.split() == names
    assert [len(each.body["items"]) for each in server.asked("POST", CREATE)] == [MOST, 2]


def test_where_a_later_request_is_refused_what_began_before_is_told(server: ApiServer, run: Run) -> None:
    names = [f"c{number}" for number in range(MOST + 2)]

    def second_is_refused(request):
        if request.path == CREATE and len(request.body["items"]) == 2:
            return problem(403, "You may not do this.")
        return None

    server.scripted.append(second_is_refused)
    result = run("create", *names, "-o", "name")
    assert result.exit_code == 1
    assert result.stdout.split() == names[:MOST]
    assert result.stderr.count("You may not do this.") == 2


def test_explain_is_about_one(run: Run) -> None:
    assert run("create", "a", "b", "--explain").exit_code == 2


# --- deleting ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def three(server: ApiServer) -> list[str]:
    return [server.add_cluster(name)["id"] for name in ("a", "b", "c")]


def test_several_are_deleted_by_one_request(server: ApiServer, run: Run, three: list[str]) -> None:
    result = run("delete", "a", "b", three[1], "--yes", "--wait")
    assert result.exit_code == 0, result.output
    (asked,) = server.asked("POST", "/")
    assert (asked.path, asked.body) == (DELETE, {"items": [{"id": three[0]}, {"id": three[1]}]})
    assert result.stdout == "a is deleted.\nb is deleted.\n"
    assert [server.clusters[key]["phase"] for key in three] == ["Deleted", "Deleted", "Ready"]


def test_where_one_name_is_not_there_nothing_is_deleted(server: ApiServer, run: Run, three: list[str]) -> None:
    result = run("delete", "a", "x", "y", "--yes")
    assert result.exit_code == 4
    assert "Not there: x, y. Nothing was deleted." in result.stderr
    assert not server.asked("POST", "/")


@pytest.mark.usefixtures("on_a_terminal")
@pytest.mark.parametrize(("answer", "code"), [("n\n", 1), ("y\n", 0)])
def test_who_can_be_asked_is_shown_them_all_first(
    server: ApiServer, run: Run, three: list[str], answer: str, code: int
) -> None:
    result = run("delete", "a", "b", "c", stdin=answer)
    assert result.exit_code == code, result.output
    assert "This deletes 3 virtual clusters:" in result.stderr
    for name in ("a", "b", "c"):
        assert f"  {name} of acme/payments on harbor-east" in result.stderr.splitlines()
    assert "Delete these 3 virtual clusters?" in result.stderr
    assert len(server.asked("POST", DELETE)) == (1 if code == 0 else 0)


@pytest.mark.usefixtures("on_a_terminal")
def test_who_says_yes_beforehand_is_not_asked(server: ApiServer, run: Run, three: list[str]) -> None:
    assert "Delete these" not in run("delete", "a", "b", "--yes").output
    assert len(server.asked("POST", DELETE)) == 1


def test_a_protected_one_stays_and_the_others_go(server: ApiServer, run: Run, three: list[str]) -> None:
    server.clusters[three[1]]["deletion_protection"] = True
    result = run("delete", "a", "b", "c", "--yes")
    assert result.exit_code == 5
    assert result.stdout == "a is being deleted.\nc is being deleted.\n"
    assert "b: Error: b is protected." in result.stderr


def test_a_dry_run_deletes_none(server: ApiServer, run: Run, three: list[str]) -> None:
    result = run("delete", "a", "b", "--dry-run")
    assert result.exit_code == 0, result.output
    assert server.asked("POST", DELETE)[0].query == {"dry_run": "true"}
    assert result.stdout == "a would be deleted.\nb would be deleted.\n"
    assert result.stderr.count("Nothing was done") == 1


def test_two_of_one_name_are_told_apart_by_their_projects(server: ApiServer, run: Run) -> None:
    elsewhere = {"id": "p2", "name": "search", "organization": "acme"}
    keys = [server.add_cluster("a")["id"], server.add_cluster("a", project=elsewhere)["id"]]
    result = run("delete", *keys, "--yes")
    assert result.stdout == "acme/payments/a is being deleted.\nacme/search/a is being deleted.\n"
