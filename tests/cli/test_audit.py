"""The audit log on the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.cli.api_server import Answer, ApiServer, problem
from tests.cli.conftest import Run


def test_rows_are_listed_newest_first_with_what_changed_in_the_wide_form(server: ApiServer, run: Run) -> None:
    server.add_audit_event("project.create")
    server.add_audit_event("project.update", before={"name": "a"}, after={"name": "b"}, result="denied")
    lines = run("audit", "list").stdout.splitlines()
    assert lines[0].split() == ["AGE", "ACTOR", "ACTION", "OBJECT", "RESULT", "SOURCE"]
    assert [line.split()[3] for line in lines[1:]] == ["project.update", "project.create"]
    assert "project acme/payments   denied" in lines[1]
    wide = run("audit", "list", "-o", "wide").stdout
    assert "name: a -> b" in wide
    assert "192.0.2.7" in wide
    assert re.search(r"2026-11-\d\d \d\d:\d\d:\d\dZ ", wide), "people see which zone it is"


def test_at_most_as_many_as_asked_for(server: ApiServer, run: Run) -> None:
    for _ in range(8):
        server.add_audit_event("project.create")
    assert len(json.loads(run("audit", "list", "--limit", "5", "-o", "json").stdout)) == 5
    assert len(json.loads(run("audit", "list", "-o", "json").stdout)) == 8


def test_what_is_chosen_is_sent_as_the_apis_parameters(server: ApiServer, run: Run) -> None:
    run(
        *("audit", "list", "--organization", "acme", "--actor", "bob", "--action", "project.*", "--kind", "project"),
        *("--object", "p1", "--result", "denied", "--since", "1h30m", "--until", "2026-11-23T09:59:00Z"),
        *("--search", "pay"),
    )
    (asked,) = server.asked("GET", "/audit-events")
    sent = {name: value for name, value in asked.query.items() if name != "page_size"}
    assert sent == {
        "organization": "acme",
        "actor": "bob",
        "action": "project.*",
        "object_kind": "project",
        "object_id": "p1",
        "result": "denied",
        "since": "2026-11-23T08:30:05+00:00",
        "until": "2026-11-23T09:59:00+00:00",
        "search": "pay",
    }


def test_a_time_that_is_none_is_refused_before_anything_is_asked(server: ApiServer, run: Run) -> None:
    result = run("audit", "list", "--since", "yesterday")
    assert result.exit_code == 2
    assert "--since 'yesterday' is no time" in result.stderr
    assert server.asked("GET", "/audit-events") == []


def test_an_empty_list_is_a_sentence(server: ApiServer, run: Run) -> None:
    assert "No row of the audit log" in run("audit", "list").stderr


def test_the_export_is_json_lines_on_standard_output(server: ApiServer, run: Run) -> None:
    rows = [server.add_audit_event("project.create"), server.add_audit_event("project.update", actor="bob")]
    assert [json.loads(line) for line in run("audit", "export").stdout.splitlines()] == rows
    assert [json.loads(line) for line in run("audit", "export", "--actor", "bob").stdout.splitlines()] == rows[1:]


def test_the_export_goes_to_a_file_that_only_its_owner_reads(server: ApiServer, run: Run, tmp_path: Path) -> None:
    server.add_audit_event("project.create")
    file = tmp_path / "audit.jsonl"
    result = run("audit", "export", "--output", str(file))
    assert (result.exit_code, result.stdout) == (0, "")
    assert "1 row is written" in result.stderr
    assert len(file.read_text().splitlines()) == 1
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_refused_or_broken_export_leaves_no_file(server: ApiServer, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    server.say_once("GET", "/audit-events/export", problem(403, "You may not do organization.audit here."))
    server.say_once("GET", "/audit-events/export", Answer(lose=True))
    refused = run("audit", "export", "--output", str(file))
    assert refused.exit_code == 1
    assert "organization.audit" in refused.stderr
    assert run("audit", "export", "--output", str(file)).exit_code == 6
    assert list(tmp_path.glob("*audit.jsonl*")) == []
