"""`--dry-run`: the server is asked for one, and nobody is told that something was done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.api_server import KUBECONFIG, ApiServer
from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("create", "fresh", "--project", "acme/payments"), "fresh would be created in acme/payments."),
        (("configure", "hello", "--size", "large"), "hello would be configured."),
        (("configure", "hello"), "hello would be configured."),
        (("delete", "hello"), "hello would be deleted."),
    ],
)
def test_a_dry_run_is_asked_for_and_told_as_one(
    server: ApiServer, run: Run, words: tuple[str, ...], sentence: str
) -> None:
    server.add_cluster("hello")
    result = run(*words, "--dry-run")
    assert result.exit_code == 0, result.output
    (asked,) = [each for each in server.requests if each.method != "GET"]
    assert asked.query == {"dry_run": "true"}
    assert result.stdout == f"{sentence}\n"
    assert "Nothing was done" in result.stderr


def test_for_programs_it_is_the_object_as_it_would_be(server: ApiServer, run: Run) -> None:
    result = run("create", "fresh", "--project", "acme/payments", "--dry-run", "-o", "json")
    assert json.loads(result.stdout)["name"] == "fresh"


def test_a_host_is_checked_by_the_server_only(server: ApiServer, run: Run, home: Path) -> None:
    file = home / "host.yaml"
    file.write_text(KUBECONFIG)
    result = run("host", "connect", "north", "--kubeconfig", str(file), "--dry-run")
    assert result.exit_code == 0, result.output
    assert server.asked("POST", "/host-clusters")[0].query == {"dry_run": "true"}
    assert result.stdout.startswith("north would be connected.")


def test_nothing_is_made_on_a_host_either(server: ApiServer, run: Run) -> None:
    result = run("host", "connect", "north", "--context", "east", "--yes", "--dry-run")
    assert result.exit_code == 2
    assert not server.asked("POST", "/")


def test_there_is_nothing_to_wait_for(server: ApiServer, run: Run) -> None:
    server.add_cluster("hello")
    result = run("delete", "hello", "--dry-run", "--wait")
    assert result.exit_code == 2
    assert not server.asked("DELETE", "/")


def test_a_server_that_does_not_know_dry_runs_is_told_of(server: ApiServer, run: Run) -> None:
    server.add_cluster("hello")
    server.knows_dry_runs = False
    result = run("delete", "hello", "--dry-run")
    assert result.exit_code != 0
    assert "does not know dry runs" in result.stderr
