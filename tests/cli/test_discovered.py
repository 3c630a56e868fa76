"""Virtual clusters that were found on hosts: listed, adopted, ignored."""

from __future__ import annotations

import json

from tests.cli.api_server import ApiServer
from tests.cli.conftest import Run


def test_the_list_leaves_out_what_is_ignored_unless_all_is_asked_for(server: ApiServer, run: Run) -> None:
    server.add_discovered("alpha", paused=True)
    server.add_discovered("beta", ignored=True)
    shown = run("discovered", "list").stdout
    assert "team-alpha" in shown
    assert "paused" in shown
    assert "beta" not in shown
    names = [each["release"] for each in json.loads(run("discovered", "list", "--all", "-o", "json").stdout)]
    assert names == ["alpha", "beta"]


def test_an_empty_list_is_a_sentence(server: ApiServer, run: Run) -> None:
    assert "No virtual cluster was found" in run("discovered", "list").stderr


def test_adopting_sends_whom_it_is_given_to(server: ApiServer, run: Run) -> None:
    found = server.add_discovered("alpha")
    result = run("discovered", "adopt", found["id"], "-p", "acme/payments", "--name", "tills", "--owner", "alice")
    assert result.exit_code == 0, result.output
    (asked,) = server.asked("POST", f"/discovered-clusters/{found['id']}/adopt")
    assert asked.body == {"project": "acme/payments", "name": "tills", "owner": "alice"}
    assert asked.headers["idempotency-key"]
    assert result.stdout == "tills is being adopted for acme/payments.\n"


def test_one_may_be_named_by_where_it_is_and_waited_for(server: ApiServer, run: Run) -> None:
    server.add_discovered("alpha")
    result = run("discovered", "adopt", "team-alpha/alpha", "--project", "acme/payments", "--wait")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("alpha of acme/payments is adopted after")
    assert run("discovered", "adopt", "team-alpha/alpha", "--project", "acme/payments").exit_code == 4


def test_what_is_on_several_hosts_takes_its_id(server: ApiServer, run: Run) -> None:
    server.add_discovered("alpha")
    server.add_discovered("alpha", host={"id": "h2", "name": "harbor-west"})
    assert run("discovered", "ignore", "team-alpha/alpha").exit_code == 5


def test_ignoring_and_its_opposite(server: ApiServer, run: Run) -> None:
    found = server.add_discovered("alpha")
    assert run("discovered", "ignore", found["id"]).stdout == "team-alpha/alpha is ignored from now on.\n"
    assert found["ignored"] is True
    assert run("discovered", "unignore", "team-alpha/alpha").stdout == "team-alpha/alpha is ignored no longer.\n"
    assert found["ignored"] is False
