"""Changing a virtual cluster, and bringing it back to what is wanted."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.api_server import ApiServer
from tests.cli.conftest import Run


def test_without_an_option_it_is_brought_back_and_nothing_wanted_changes(server: ApiServer, run: Run) -> None:
    cluster = server.add_cluster("hello")
    result = run("configure", "hello")
    assert result.exit_code == 0, result.output
    (asked,) = server.asked("POST", f"/virtual-clusters/{cluster['id']}")
    assert (asked.path, asked.body) == (f"/virtual-clusters/{cluster['id']}/configure", None)
    assert asked.headers["idempotency-key"]
    assert not server.asked("PATCH", "/")
    assert result.stdout == "hello is being configured.\n"
    assert "marina op watch" in result.stderr


def test_only_what_is_given_is_changed(server: ApiServer, run: Run, home: Path) -> None:
    cluster = server.add_cluster("hello")
    values = home / "values.yaml"
    values.write_text("sync: {toHost: {ingresses: {enabled: true}}}")
    assert run("configure", "hello", "--size", "large", "--values", str(values)).exit_code == 0
    (asked,) = server.asked("PATCH", f"/virtual-clusters/{cluster['id']}")
    assert asked.body == {"spec": {"size": "large", "values": {"sync": {"toHost": {"ingresses": {"enabled": True}}}}}}
    assert asked.headers["idempotency-key"]


def test_an_empty_values_file_takes_all_values_away(server: ApiServer, run: Run) -> None:
    server.add_cluster("hello")
    assert run("configure", "hello", "--values", "-", stdin="").exit_code == 0
    assert server.asked("PATCH", "/virtual-clusters")[0].body == {"spec": {"values": {}}}


def test_with_wait_the_steps_are_shown_and_the_cluster_as_it_is_then(server: ApiServer, run: Run) -> None:
    server.add_cluster("hello")
    result = run("configure", "hello", "--exposure", "None", "--wait")
    assert result.exit_code == 0, result.output
    assert "Choose a host: done" in result.stderr
    assert result.stdout.startswith("hello is Ready, as it is wanted, after")
    shown = run("configure", "hello", "--wait", "-o", "json")
    assert json.loads(shown.stdout)["spec"]["exposure"] == "None"


def test_a_failure_is_told_with_its_reason_and_exit_code_1(server: ApiServer, run: Run) -> None:
    server.add_cluster("hello")
    server.outcome = "Failed"
    result = run("configure", "hello", "--wait")
    assert result.exit_code == 1
    assert "configure of hello failed at “Wait for the API server”: exceeded quota: q" in result.stderr
