"""Roles of an organization from the command line."""

from __future__ import annotations

from typing import Any

from tests.cli.api_server import Answer, ApiServer, problem
from tests.cli.conftest import Run

PATH = "/organizations/o1/roles"
DEPLOYER = {
    "id": "r1",
    "name": "deployer",
    "description": "Rolls out",
    "built_in": False,
    "actions": ["virtualcluster.view", "virtualcluster.update"],
    "scopes": ["organization", "project", "virtual-cluster"],
    "kubeconfig_level": "none",
    "bindings": 2,
}
ADMIN = {**DEPLOYER, "id": None, "name": "admin", "built_in": True, "bindings": None}


def acme(server: ApiServer) -> None:
    found: dict[str, Any] = {"next": None, "previous": None, "results": [{"id": "o1", "name": "acme"}]}
    server.say_once("GET", "/organizations", Answer(body=found))


def test_roles_are_listed_the_built_in_ones_too(server: ApiServer, run: Run) -> None:
    acme(server)
    server.say_once("GET", PATH, Answer(body={"results": [ADMIN, DEPLOYER]}))
    shown = run("role", "list", "--organization", "acme").stdout
    for text in ("built-in", "deployer", "own", "Rolls out"):
        assert text in shown


def test_whoever_has_a_role_in_a_project_alone_lists_the_roles_of_its_organization(server: ApiServer, run: Run) -> None:
    server.say_once("GET", "/organizations", Answer(body={"next": None, "previous": None, "results": []}))
    server.say_once("GET", PATH, Answer(body={"results": [DEPLOYER]}))
    assert "deployer" in run("role", "list", "--organization", "acme").stdout


def test_of_an_organization_that_one_has_nothing_to_do_with_nothing_is_listed(server: ApiServer, run: Run) -> None:
    server.say_once("GET", "/organizations", Answer(body={"next": None, "previous": None, "results": []}))
    result = run("role", "list", "--organization", "globex")
    assert result.exit_code == 4
    assert "no organization 'globex' that you may see" in result.stderr


def test_a_role_is_defined_by_its_actions(server: ApiServer, run: Run) -> None:
    acme(server)
    server.say_once("POST", PATH, Answer(201, DEPLOYER))
    actions = ("--action", "virtualcluster.view", "--action", "virtualcluster.update")
    result = run("role", "create", "deployer", "--organization", "acme", *actions, "--description", "Rolls out")
    assert result.exit_code == 0, result.output
    assert server.asked("POST", PATH)[0].body == {
        "name": "deployer",
        "actions": ["virtualcluster.view", "virtualcluster.update"],
        "description": "Rolls out",
    }
    assert "virtualcluster.update" in result.stdout
    assert run("role", "create", "deployer", "--organization", "acme").exit_code == 2


def test_a_role_is_changed_and_shown(server: ApiServer, run: Run) -> None:
    for answer in (("PATCH", Answer(body=DEPLOYER)), ("GET", Answer(body=DEPLOYER))):
        server.say_once(answer[0], f"{PATH}/deployer", answer[1])
    acme(server)
    result = run("role", "update", "deployer", "--organization", "acme", "--action", "virtualcluster.view")
    assert result.exit_code == 0, result.output
    assert server.asked("PATCH", f"{PATH}/deployer")[0].body == {"actions": ["virtualcluster.view"]}
    acme(server)
    assert "Rolls out" in run("role", "get", "deployer", "--organization", "acme").stdout
    assert run("role", "update", "deployer", "--organization", "acme").exit_code == 2


def test_a_role_in_use_is_deleted_only_when_that_is_said(server: ApiServer, run: Run) -> None:
    acme(server)
    server.say_once("DELETE", f"{PATH}/deployer", problem(409, "The role deployer is in use: ana."))
    refused = run("role", "delete", "deployer", "--organization", "acme")
    assert refused.exit_code == 5
    assert "in use" in refused.output
    acme(server)
    server.say_once("DELETE", f"{PATH}/deployer", Answer(204))
    result = run("role", "delete", "deployer", "--organization", "acme", "--take")
    assert result.exit_code == 0, result.output
    assert server.asked("DELETE", f"{PATH}/deployer")[-1].query == {"take": "true"}
