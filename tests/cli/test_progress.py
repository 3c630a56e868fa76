"""How far an operation is, how long that usually takes, what it left behind and what it changed."""

from __future__ import annotations

from tests.cli.api_server import ApiServer
from tests.cli.conftest import Run

HOST = {"id": "h1", "name": "harbor-east"}


def test_an_operation_at_work_tells_its_progress_in_a_line(server: ApiServer, run: Run) -> None:
    operation = server.add_operation("provision", usual_seconds=5.2, virtual_cluster={"id": "c1", "name": "hello"})
    shown = run("op", "get", operation["id"]).stdout
    assert "1 of 3 steps, Install the release (usually 5.2 s)" in shown


def test_one_that_waits_for_its_host_says_which(server: ApiServer, run: Run) -> None:
    operation = server.add_operation("provision", usual_seconds=None, waiting_for_host=HOST)
    assert "1 of 3 steps, Install the release, waiting for host harbor-east" in run("op", "get", operation["id"]).stdout


def test_watching_tells_the_usual_time_once_and_the_host_it_waits_for(server: ApiServer, run: Run) -> None:
    subject = {"id": "c1", "name": "hello"}
    operation = server.add_operation("provision", usual_seconds=65, waiting_for_host=HOST, virtual_cluster=subject)
    result = run("op", "watch", operation["id"])
    assert result.stderr.count("provision of hello usually takes 65 s.") == 1, result.stderr
    assert result.stderr.count("Waiting for host harbor-east.") == 1


def test_what_was_left_behind_is_listed_and_pointed_to(server: ApiServer, run: Run) -> None:
    left = [
        {"kind": "Namespace", "name": "marina-hello", "namespace": "", "host": "harbor-east"},
        {"kind": "Helm release", "name": "hello", "namespace": "marina-hello", "host": "harbor-east"},
    ]
    server.outcome = "Failed"
    operation = server.add_operation("provision", left_behind=left)
    failed = run("op", "watch", operation["id"])
    assert failed.exit_code == 1
    assert f"What it left on hosts (2) is listed by `marina op get {operation['id']}`." in failed.stderr
    shown = run("op", "get", operation["id"]).stdout
    assert "Namespace marina-hello on harbor-east\n" in shown
    assert "Helm release hello on harbor-east, namespace marina-hello\n" in shown


def test_what_differs_from_what_was_found_is_listed(server: ApiServer, run: Run) -> None:
    entry = {"object": "StatefulSet tills", "path": "spec.replicas", "before": 2, "after": 1}
    gone = {"object": "Role x", "path": "", "before": None, "after": "made"}
    operation = server.add_operation("configure", state="Succeeded", difference=[entry, gone])
    shown = run("op", "get", operation["id"]).stdout
    assert "StatefulSet tills  spec.replicas  2 → 1" in shown
    assert "nothing → made" in shown
