"""Logging in, and which server, token and project a command works with."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml
from marina_cli.text import Json

from tests.cli.api_server import ApiServer
from tests.cli.conftest import TOKEN, Run


def stored(home: Path) -> Json:
    document: Json = yaml.safe_load((home / ".config/marina/config.yaml").read_text())
    return document


def test_login_with_handle_and_password_stores_a_token_and_not_the_password(
    server: ApiServer, run_without_login: Run, home: Path
) -> None:
    result = run_without_login("login", server.url, "--handle", "alice", stdin="correct horse\n")
    assert result.exit_code == 0, result.output
    text = (home / ".config/marina/config.yaml").read_text()
    assert "correct horse" not in text + result.output
    [context] = stored(home)["contexts"].values()
    assert context["token"] in server.tokens
    assert context["token"] not in result.output
    assert server.asked("POST", "/access-tokens")[0].body["expires_in"] == 30 * 86400
    assert run_without_login("whoami").exit_code == 0


def test_the_configuration_is_readable_by_its_owner_only(run: Run, home: Path) -> None:
    path = home / ".config/marina/config.yaml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["config.yaml"]


def test_a_wrong_password_is_exit_code_3_and_stores_nothing(
    server: ApiServer, run_without_login: Run, home: Path
) -> None:
    result = run_without_login("login", server.url, "--handle", "alice", "--password-stdin", stdin="wrong\n")
    assert result.exit_code == 3
    assert "Handle or password is wrong." in result.stderr
    assert not (home / ".config/marina").exists()


def test_a_token_from_standard_input_is_taken(server: ApiServer, run_without_login: Run, home: Path) -> None:
    assert run_without_login("login", server.url, "--token-stdin", stdin=f"{TOKEN}\n").exit_code == 0
    assert next(iter(stored(home)["contexts"].values()))["token"] == TOKEN


def test_a_token_the_server_does_not_know_is_not_stored(server: ApiServer, run_without_login: Run, home: Path) -> None:
    assert run_without_login("login", server.url, "--token", "mar_x_y").exit_code == 3
    assert not (home / ".config/marina").exists()


@pytest.mark.parametrize("address", ["http://marina.example.org", "http://10.0.0.1:8000"])
def test_plain_http_to_another_machine_is_refused_before_anything_is_sent(run_without_login: Run, address: str) -> None:
    result = run_without_login("login", address, "--token", TOKEN)
    assert result.exit_code == 2
    assert "--insecure-http" in result.stderr


def test_logout_ends_the_token_on_the_server_and_forgets_it(
    server: ApiServer, run_without_login: Run, home: Path
) -> None:
    run_without_login("login", server.url, "--handle", "alice", "--password-stdin", stdin="correct horse\n")
    [token] = server.tokens - {TOKEN}
    assert run_without_login("logout").exit_code == 0
    assert token not in server.tokens
    assert stored(home)["contexts"] == {}
    assert run_without_login("list").exit_code == 3


def test_a_stored_token_never_goes_to_another_server(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with ApiServer() as other:
        monkeypatch.setenv("MARINA_SERVER", other.url)
        result = run("list")
        assert result.exit_code == 3
        assert not other.requests


def test_server_and_token_of_the_environment_win(
    server: ApiServer, run_without_login: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARINA_SERVER", server.url)
    monkeypatch.setenv("MARINA_TOKEN", TOKEN)
    monkeypatch.setenv("MARINA_PROJECT", "acme/other")
    assert run_without_login("list").exit_code == 0
    assert server.requests[-1].query["project"] == "acme/other"


def test_several_servers_can_be_used_by_name(server: ApiServer, run: Run) -> None:
    with ApiServer() as other:
        other.add_cluster("far-away")
        assert run("login", other.url, "--token", TOKEN, "--context", "second").exit_code == 0
        assert run("list", "-o", "name").stdout == "far-away\n"
        first = server.url.removeprefix("http://")
        assert run("--context", first, "list", "-o", "name").stdout == ""
        assert run("context", "use", first).exit_code == 0
        assert run("list", "-o", "name").stdout == ""
        assert TOKEN not in run("context", "list", "-o", "json").stdout
    assert run("--context", "third", "list").exit_code == 2


def test_the_only_project_is_the_default_one(server: ApiServer, run: Run) -> None:
    run("create", "hello")
    assert server.asked("POST", "/virtual-clusters")[0].body["project"] == "acme/payments"


def test_with_several_projects_one_has_to_be_chosen_once(server: ApiServer, run: Run) -> None:
    server.projects.append({"id": "p2", "name": "search", "organization": "acme", "role": "viewer"})
    result = run("create", "hello")
    assert result.exit_code == 2
    assert "acme/payments, acme/search" in result.stderr
    assert run("use-project", "acme/nothing").exit_code == 4
    assert run("use-project", "acme/search").exit_code == 0
    assert run("create", "hello").exit_code == 0
    assert server.asked("POST", "/virtual-clusters")[-1].body["project"] == "acme/search"


def test_whoami_shows_person_server_and_projects(server: ApiServer, run: Run) -> None:
    result = run("whoami")
    assert f"alice on {server.url}" in result.stdout
    assert "acme/payments (developer)" in result.stdout
    assert run("whoami", "-o", "name").stdout == "alice\n"


def test_a_damaged_configuration_is_named(run: Run, home: Path) -> None:
    (home / ".config/marina/config.yaml").write_text("contexts: [broken")
    result = run("list")
    assert result.exit_code == 2
    assert "config.yaml" in result.stderr
