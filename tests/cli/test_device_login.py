"""`marina login` through the browser: shows a code, waits politely, stores a token."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from marina_cli.device_login import browser_possible

from tests.cli.api_server import Answer, ApiServer
from tests.cli.conftest import QuickClock, Run
from tests.cli.test_login import stored

WEB = ("--web", "--no-browser")


def test_the_code_is_shown_and_the_token_stored_once_it_is_allowed(
    server: ApiServer, run_without_login: Run, home: Path, clock: QuickClock
) -> None:
    server.device_answers = ["authorization_pending", "authorization_pending"]
    result = run_without_login("login", server.url, *WEB)
    assert result.exit_code == 0, result.output
    assert f"Open {server.url}/device and type the code BCDF-GHJK" in result.stderr
    [context] = stored(home)["contexts"].values()
    assert context["token"] in server.tokens
    assert context["token"] not in result.output
    assert "the-device-code" not in result.output
    assert clock.slept == [5, 5, 5], "never sooner than the server said"
    assert server.asked("POST", "/device-logins")[0].body["expires_in"] == 30 * 86400


def test_who_is_told_to_slow_down_does(server: ApiServer, run_without_login: Run, clock: QuickClock) -> None:
    server.device_answers = ["slow_down", "authorization_pending"]
    assert run_without_login("login", server.url, *WEB).exit_code == 0
    assert clock.slept == [5, 10, 10]


@pytest.mark.parametrize("code", ["denied", "expired"])
def test_a_denied_or_late_login_ends_with_exit_code_3_and_stores_nothing(
    server: ApiServer, run_without_login: Run, home: Path, code: str
) -> None:
    server.device_answers = ["authorization_pending", code]
    result = run_without_login("login", server.url, *WEB)
    assert result.exit_code == 3
    assert f"It is {code}." in result.stderr
    assert not (home / ".config/marina").exists()


def test_nobody_is_waited_for_longer_than_the_code_holds(
    server: ApiServer, run_without_login: Run, clock: QuickClock
) -> None:
    server.device_answers = ["authorization_pending"] * 1000
    result = run_without_login("login", server.url, *WEB)
    assert result.exit_code == 3
    assert "Nobody allowed the login in time." in result.stderr
    assert 600 <= sum(clock.slept) <= 610


def test_a_lost_answer_is_asked_for_again(server: ApiServer, run_without_login: Run) -> None:
    server.device_answers = ["authorization_pending", "authorization_pending"]
    server.lose_answer("POST", "/device-logins/token")
    assert run_without_login("login", server.url, *WEB).exit_code == 0


def test_logout_ends_the_token_that_was_made_so(server: ApiServer, run_without_login: Run) -> None:
    before = set(server.tokens)
    run_without_login("login", server.url, *WEB)
    assert run_without_login("logout").exit_code == 0
    assert server.tokens == before


def test_at_a_terminal_the_browser_is_the_way_and_no_password_is_asked_for(server: ApiServer, home: Path) -> None:
    leader, follower = pty.openpty()
    with os.fdopen(leader, "rb") as screen, os.fdopen(follower, "wb") as terminal:
        codes = {"device_code": "x", "user_code": "BCDF-GHJK", "verification_uri": "https://here/device"}
        server.say_once("POST", "/device-logins", Answer(201, {**codes, "expires_in": 600, "interval": 0.05}))
        command = [sys.executable, "-m", "marina_cli", "login", server.url, "--no-browser"]
        environment = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": "cli"}
        done = subprocess.run(
            command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment, timeout=60, check=False
        )
        assert done.returncode == 0
        assert b"type the code BCDF-GHJK" in screen.read1(4096)
    assert stored(home)["contexts"]


def test_without_a_terminal_handle_and_password_are_read_as_before(server: ApiServer, run_without_login: Run) -> None:
    assert run_without_login("login", server.url, stdin="alice\ncorrect horse\n").exit_code == 0
    assert not server.asked("POST", "/device-logins")


def test_where_nobody_can_answer_it_says_what_to_use_instead(server: ApiServer, run_without_login: Run) -> None:
    result = run_without_login("login", server.url, stdin="")
    assert result.exit_code == 2
    assert "--federated" in result.stderr


@pytest.mark.parametrize(
    ("environment", "possible"),
    [({"DISPLAY": ":0"}, True), ({"DISPLAY": ":0", "SSH_CONNECTION": "1"}, False), ({}, sys.platform == "darwin")],
)
def test_a_browser_is_opened_only_where_the_person_would_see_it(environment: dict[str, str], possible: bool) -> None:
    assert browser_possible(environment) is possible


def test_group_mappings_are_added_listed_and_removed(server: ApiServer, run: Run) -> None:
    added = run("group-mapping", "add", "devs", "--organization", "acme", "--role", "member")
    assert added.stdout == "Who is in devs gets member of acme at their next sign-in.\n"
    run("group-mapping", "add", "ops", "--organization", "acme", "--team", "dockers")
    run("group-mapping", "add", "devs", "--project", "acme/payments", "--role", "developer")
    assert server.asked("POST", "/group-mappings")[-1].body["organization"] == "acme"
    assert "team dockers" in run("group-mapping", "list").stdout
    assert run("group-mapping", "remove", "devs").exit_code == 5
    assert run("group-mapping", "remove", "nobody").exit_code == 4
    assert run("group-mapping", "remove", "ops").exit_code == 0
    assert len(server.group_mappings) == 2


@pytest.mark.parametrize("wrong", [(), ("--role", "member", "--team", "x"), ("--organization", "acme")])
def test_a_group_mapping_needs_a_place_and_one_thing_to_give(run: Run, wrong: tuple[str, ...]) -> None:
    assert run("group-mapping", "add", "devs", *wrong).exit_code == 2
