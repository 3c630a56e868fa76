"""Exports: asked for, listed, read into a file that only its owner may read, and erased."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.cli.api_server import NOW, Answer, ApiServer, problem
from tests.cli.conftest import Run

ID = str(uuid4())


def shown(**more: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "virtual_cluster": {"id": "c1", "name": "shop"},
        "project": {"id": "p1", "name": "payments", "organization": {"id": "o1", "name": "acme"}},
        "cause": "request",
        "state": "Complete",
        "objects": 12,
        "size": 2048,
        "created_at": NOW,
        "finished_at": NOW,
        "expires_at": "2026-12-24T10:00:00Z",
        "requested_by": None,
        "counts": {"v1/Secret": 2},
        "left_out": [
            {
                "rule": "all",
                "reason": "They tell.",
                "count": 0,
                "first": [{"kind": "Event", "namespace": "", "name": "*"}],
            }
        ],
        **more,
    }


def test_creating_one_starts_an_operation_that_can_be_waited_for(server: ApiServer, run: Run) -> None:
    cluster = server.add_cluster("shop")
    started = Answer(202, {"operation": server.add_operation("export"), "export": shown(state="Writing")})
    path = f"/virtual-clusters/{cluster['id']}/exports"
    server.say_once("POST", path, started)
    result = run("export", "create", "shop")
    assert result.stdout == f"shop is being exported: {ID}.\n"
    assert "marina op watch" in result.stderr
    (asked,) = server.asked("POST", path)
    assert asked.headers["idempotency-key"]
    server.say_once("POST", path, started)
    server.say_once("GET", f"/exports/{ID}", Answer(body=shown()))
    result = run("export", "create", "shop", "--wait")
    assert result.exit_code == 0, result.output
    assert "12 objects, 2 KiB" in result.stdout


def test_one_that_is_asleep_is_refused_with_the_way_out(server: ApiServer, run: Run) -> None:
    cluster = server.add_cluster("shop")
    refusal = problem(409, "shop is asleep.", code="asleep", hint="Wake it (marina wake shop).")
    server.say_once("POST", f"/virtual-clusters/{cluster['id']}/exports", refusal)
    result = run("export", "create", "shop")
    assert result.exit_code == 5
    assert "marina wake shop" in result.stderr


def test_the_list_can_be_of_one_cluster(server: ApiServer, run: Run) -> None:
    server.say_once("GET", "/exports", Answer(body={"results": [shown()], "next": None}))
    result = run("export", "list", "--cluster", "shop", "--project", "acme/payments")
    assert all(word in result.stdout for word in (ID, "shop", "acme/payments", "Complete", "2 KiB", "2026-12-24"))
    (asked,) = server.asked("GET", "/exports")
    assert (asked.query["cluster"], asked.query["project"]) == ("shop", "acme/payments")


def test_one_tells_what_is_in_it_and_what_was_left_out(server: ApiServer, run: Run) -> None:
    server.say_once("GET", f"/exports/{ID}", Answer(body=shown()))
    text = run("export", "get", ID).stdout
    assert "2 v1/Secret" in text
    assert "Event (all): They tell." in text
    assert "Not in it" not in text


def test_one_with_claims_says_that_their_data_is_not_in_it(server: ApiServer, run: Run) -> None:
    claims = shown(counts={"v1/PersistentVolumeClaim": 3})
    server.say_once("GET", f"/exports/{ID}", Answer(body=claims))
    assert "Not in it: the data of 3 volumes." in run("export", "get", ID).stdout


def test_what_is_downloaded_only_its_owner_reads(server: ApiServer, run: Run, tmp_path: Path) -> None:
    server.say_once(
        "GET", f"/exports/{ID}/content", Answer(body="packed", headers={"Content-Type": "application/gzip"})
    )
    file = tmp_path / "shop.tar.gz"
    result = run("export", "download", ID, "--output", str(file))
    assert (result.exit_code, file.read_text(), file.stat().st_mode & 0o777) == (0, "packed", 0o600)
    assert "There are Secrets in it" in result.stderr


def test_a_download_that_is_refused_or_breaks_off_leaves_no_file(server: ApiServer, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "shop.tar.gz"
    server.say_once("GET", f"/exports/{ID}/content", problem(409, "The file of this export is damaged."))
    server.say_once("GET", f"/exports/{ID}/content", Answer(lose=True))
    assert "is damaged" in run("export", "download", ID, "--output", str(file)).stderr
    assert run("export", "download", ID, "--output", str(file)).exit_code == 6
    assert list(tmp_path.glob("*shop.tar.gz*")) == []


def test_one_is_erased_after_a_yes(server: ApiServer, run: Run) -> None:
    for _ in range(2):
        server.say_once("GET", f"/exports/{ID}", Answer(body=shown()))
    server.say_once("DELETE", f"/exports/{ID}", Answer(204))
    assert run("export", "delete", ID, stdin="n\n").exit_code == 1
    assert server.asked("DELETE", "/exports") == []
    assert run("export", "delete", ID, "--yes").stdout == f"The export {ID} of shop is erased.\n"


def test_what_is_no_id_asks_nothing(server: ApiServer, run: Run) -> None:
    result = run("export", "download", "shop")
    assert result.exit_code == 2
    assert "marina export list" in result.stderr
    assert server.asked("GET", "/exports") == []
