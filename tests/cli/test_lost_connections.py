"""What happens when the network or the server fails in the middle."""

from __future__ import annotations

import socket

import pytest

from tests.cli.api_server import Answer, ApiServer, Request, problem
from tests.cli.conftest import TOKEN, QuickClock, Run


def test_a_create_whose_answer_was_lost_is_repeated_with_the_same_key_and_done_once(
    server: ApiServer, run: Run
) -> None:
    server.lose_answer("POST", "/virtual-clusters", times=2)
    assert run("create", "hello").exit_code == 0
    tries = server.asked("POST", "/virtual-clusters")
    assert len(tries) == 3
    assert len({request.headers["idempotency-key"] for request in tries}) == 1
    assert len(server.clusters) == 1


def test_two_creates_have_two_keys(server: ApiServer, run: Run) -> None:
    run("create", "one")
    run("create", "two")
    keys = {request.headers["idempotency-key"] for request in server.asked("POST", "/virtual-clusters")}
    assert len(keys) == 2


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_server_that_is_restarting_is_tried_again(server: ApiServer, run: Run, status: int) -> None:
    server.say_once("GET", "/virtual-clusters", problem(status, "Restarting."))
    assert run("list").exit_code == 0


def test_a_server_that_stays_away_is_exit_code_6(server: ApiServer, run: Run) -> None:
    for _ in range(4):
        server.say_once("GET", "/virtual-clusters", problem(503, "The database does not answer."))
    result = run("list")
    assert result.exit_code == 6
    assert "The database does not answer." in result.stderr


def test_retry_after_is_honoured(server: ApiServer, run: Run, clock: QuickClock) -> None:
    server.say_once("POST", "/virtual-clusters", Answer(429, {"detail": "Too many."}, {"Retry-After": "7"}))
    assert run("create", "hello").exit_code == 0
    assert clock.slept == [7.0]


def test_a_long_retry_after_is_not_waited_for(server: ApiServer, run: Run, clock: QuickClock) -> None:
    server.say_once("POST", "/virtual-clusters", Answer(429, {"detail": "Too many."}, {"Retry-After": "3600"}))
    result = run("create", "hello")
    assert result.exit_code == 1
    assert clock.slept == []


def test_a_new_token_is_not_made_twice(server: ApiServer, run_without_login: Run) -> None:
    server.lose_answer("POST", "/access-tokens")
    result = run_without_login("login", server.url, "--handle", "alice", "--password-stdin", stdin="correct horse\n")
    assert result.exit_code == 6
    assert len(server.asked("POST", "/access-tokens")) == 1


def test_a_refused_connection_names_the_server_and_what_to_check(run_without_login: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    result = run_without_login("login", address, "--token", TOKEN)
    assert result.exit_code == 6
    assert f"{address} refused the connection" in result.stderr
    assert "Traceback" not in result.stderr


def test_watching_goes_on_while_the_server_restarts(server: ApiServer, run: Run) -> None:
    def away(request: Request) -> Answer | None:
        looked = len(server.asked("GET", "/operations/"))
        return problem(503, "Restarting.") if 2 <= looked <= 9 else None

    for _ in range(8):
        server.scripted.append(away)
    result = run("create", "hello", "--wait")
    assert result.exit_code == 0, result.output
    assert "Restarting. Trying again; the work goes on." in result.stderr


def test_watching_ends_when_the_server_stays_away(server: ApiServer, run: Run, clock: QuickClock) -> None:
    def away(request: Request) -> Answer | None:
        return problem(503, "Restarting.") if request.path.startswith("/operations/") else None

    for _ in range(1000):
        server.scripted.append(away)
    result = run("create", "hello", "--wait", "--timeout", "3m")
    assert result.exit_code == 6
    assert clock.monotonic() >= 180
    assert result.stderr.count("The server does not answer") == 1
    [operation] = server.operations
    assert f"(operation {operation})" in result.stderr
    assert f"marina op watch {operation}" in result.stderr


def test_something_that_is_not_marina_is_said_to_be_so(server: ApiServer, run: Run) -> None:
    server.say_once("GET", "/virtual-clusters", Answer(200, "<html>", {"Content-Type": "text/html"}))
    result = run("list")
    assert result.exit_code == 1
    assert "does not speak Marina's API" in result.stderr


def test_a_redirect_is_not_followed_with_the_token(server: ApiServer, run: Run) -> None:
    server.say_once("GET", "/virtual-clusters", Answer(302, None, {"Location": "http://elsewhere.invalid/"}))
    result = run("list")
    assert result.exit_code == 1
    assert "sends on to http://elsewhere.invalid/" in result.stderr


def test_an_answer_nobody_thought_of_is_a_sentence_and_no_traceback(server: ApiServer, run: Run) -> None:
    server.say_once("POST", "/virtual-clusters", Answer(202, {}))
    result = run("create", "hello")
    assert result.exit_code == 1
    assert "does not understand (KeyError" in result.stderr


def test_an_expired_token_is_exit_code_3_and_says_how_to_log_in(server: ApiServer, run: Run) -> None:
    server.tokens.clear()
    result = run("list")
    assert result.exit_code == 3
    assert f"marina login {server.url}" in result.stderr
