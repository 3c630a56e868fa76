"""Roles in organizations and projects, teams and new organizations from the command line."""

from __future__ import annotations

from typing import Any

from marina_cli.durations import minute

from tests.cli.api_server import Answer, ApiServer
from tests.cli.conftest import Run

ACME = {"id": "o1", "name": "acme"}
PAYMENTS = {"id": "p1", "name": "payments", "organization": ACME}
NOBODY = {"user": None, "team": None, "service_account": None, "organization": None, "project": None}
ANA = {**NOBODY, "id": "b1", "user": {"id": "u2", "handle": "ana"}, "role": "viewer", "project": PAYMENTS}
TILLS = {**NOBODY, "id": "b2", "team": {"id": "t1", "name": "tills"}, "role": "developer", "project": PAYMENTS}
SHARED = {**ANA, "id": "b3", "project": None, "virtual_cluster": {"id": "v1", "name": "hello"}}
TEAM = {"id": "t1", "name": "tills", "organization": ACME, "members": [{"id": "u2", "handle": "ana"}]}


def page(*items: dict[str, Any]) -> Answer:
    return Answer(body={"next": None, "previous": None, "results": list(items)})


def test_who_has_a_role_in_a_project_is_listed_and_not_who_has_one_for_a_cluster(server: ApiServer, run: Run) -> None:
    server.say_once("GET", "/role-bindings", page(ANA, TILLS, SHARED))
    shown = run("member", "list", "--project", "acme/payments").stdout.splitlines()
    assert [line.split()[:3] for line in shown[1:]] == [
        ["ana", "viewer", "acme/payments"],
        ["team:tills", "developer", "acme/payments"],
    ]
    assert run("member", "list", "--project", "acme/payments", "--organization", "acme").exit_code == 2


def test_a_role_is_given_for_some_time_in_exactly_one_place(server: ApiServer, run: Run) -> None:
    server.say_once("POST", "/role-bindings", Answer(201, {**TILLS, "expires_at": "2026-11-30T10:00:05Z"}))
    result = run("member", "add", "team:tills", "--project", "acme/payments", "--role", "developer", "--for", "7d")
    assert result.stdout == f"team:tills is developer of acme/payments until {minute('2026-11-30T10:00:05Z')}.\n"
    assert server.asked("POST", "/role-bindings")[0].body == {
        "team": "tills",
        "role": "developer",
        "project": "acme/payments",
        "expires_at": "2026-11-30T10:00:05+00:00",
    }
    assert run("member", "add", "ana", "--role", "viewer").exit_code == 2
    unknown = run("member", "add", "king:x", "--project", "acme/payments", "--role", "viewer")
    assert unknown.exit_code == 2
    assert "WHO" in unknown.stderr


def test_roles_are_taken_only_from_who_was_named_and_only_there(server: ApiServer, run: Run) -> None:
    server.say_once("GET", "/role-bindings", page(ANA, TILLS, SHARED))
    server.say_once("DELETE", "/role-bindings/b1", Answer(204))
    result = run("member", "remove", "ana", "--project", "acme/payments")
    assert result.stdout == "ana is no longer viewer of acme/payments.\n"
    assert not server.asked("DELETE", "/role-bindings/b3")
    server.say_once("GET", "/role-bindings", page(TILLS))
    assert run("member", "remove", "ana", "--project", "acme/payments").exit_code == 4


def test_people_come_into_a_team_and_leave_it_and_nobody_elses_change_is_lost(server: ApiServer, run: Run) -> None:
    server.say_once("POST", "/teams", Answer(201, TEAM))
    assert run("team", "create", "tills", "--organization", "acme", "--member", "ana").stdout == "acme/tills: ana.\n"
    for members in (["ana", "ben"], []):
        server.say_once("GET", "/teams", page(TEAM))
        server.say_once("GET", "/teams/t1", Answer(body=TEAM, headers={"ETag": '"4"'}))
        now = [{"id": name, "handle": name} for name in members]
        server.say_once("PATCH", "/teams/t1", Answer(body={**TEAM, "members": now}))
    assert run("team", "add", "tills", "ben").stdout == "acme/tills: ana, ben.\n"
    assert run("team", "remove", "tills", "ana").stdout == "acme/tills: nobody is in it yet.\n"
    asked = server.asked("PATCH", "/teams/t1")
    assert [each.body for each in asked] == [{"members": ["ana", "ben"]}, {"members": []}]
    assert {each.headers["if-match"] for each in asked} == {'"4"'}
    server.say_once("GET", "/teams", page(TEAM))
    server.say_once("GET", "/teams/t1", Answer(body=TEAM))
    assert run("team", "remove", "tills", "kees").exit_code == 4


def test_a_team_is_listed_and_deleted_by_its_name(server: ApiServer, run: Run) -> None:
    server.say_once("GET", "/teams", page(TEAM))
    assert "ana" in run("team", "list").stdout
    server.say_once("GET", "/teams", page(TEAM))
    server.say_once("DELETE", "/teams/t1", Answer(204))
    assert run("team", "delete", "tills", "--yes").exit_code == 0
    server.say_once("GET", "/teams", page())
    assert run("team", "delete", "tills", "--yes").exit_code == 4


def test_platform_staff_make_an_organization_for_its_first_admin(server: ApiServer, run: Run) -> None:
    server.say_once("POST", "/organizations", Answer(201, {"id": "o2", "name": "globex", "member_projects": 3}))
    assert "globex" in run("organization", "create", "globex", "--admin", "ana").stdout
    assert server.asked("POST", "/organizations")[0].body == {"name": "globex", "admin": "ana"}
