"""`marina restore`: which export is meant, where it goes, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.cli.api_server import Answer, ApiServer, Request
from tests.cli.conftest import Run

RESTORED = {
    "counts": {"objects": 5, "equal": 3, "conflict": 1, "refused": 1},
    "listed": [
        {"object": "ConfigMap shop/a", "what": "conflict", "why": "", "paths": ["data.x", "data.y"]},
        {"object": "Gadget.example.com shop/b", "what": "refused", "why": "It serves no Gadget.", "paths": []},
    ],
}


class RestoreServer(ApiServer):
    """With exports, the newest first; restoring gives the cluster `again`."""

    def __init__(self) -> None:
        super().__init__()
        self.exports: list[dict[str, Any]] = []

    def __enter__(self) -> RestoreServer:
        super().__enter__()
        return self

    def add_export(self, cluster: dict[str, Any]) -> dict[str, Any]:
        self.exports.insert(0, {"id": str(uuid4()), "virtual_cluster": {"id": cluster["id"]}, "state": "Complete"})
        return self.exports[0]

    def _exports(self, request: Request, rest: str) -> Answer:
        if not rest:
            wanted = request.query["virtual_cluster"]
            return self._page(request, [each for each in self.exports if each["virtual_cluster"]["id"] == wanted])
        answer = self._started("virtual_cluster", self.add_cluster("again"), "restore")
        self.operations[answer.body["operation"]["id"]]["restored"] = RESTORED
        return answer


@pytest.fixture
def server() -> Iterator[RestoreServer]:
    with RestoreServer() as running:
        yield running


def asked(server: RestoreServer) -> Request:
    (request,) = server.asked("POST", "/exports")
    return request


def gone(server: RestoreServer, when: str = "2026-11-20T10:00:00Z") -> dict[str, Any]:
    return server.add_cluster("shop", phase="Deleted", deleted_at=when)


def test_a_name_means_the_newest_export_of_the_cluster_that_was_deleted_last(server: RestoreServer, run: Run) -> None:
    older, last = gone(server), gone(server, "2026-11-22T10:00:00Z")
    server.add_export(last)
    wanted = server.add_export(last)
    server.add_export(older)
    server.add_export(server.add_cluster("shop"))
    result = run("restore", "shop")
    assert result.exit_code == 0, result.output
    assert asked(server).path == f"/exports/{wanted['id']}/restore"
    assert asked(server).body == {}
    assert asked(server).headers["idempotency-key"]
    assert result.stdout == "again is being restored.\n"
    assert "marina op watch" in result.stderr


def test_an_id_is_that_export_and_what_is_said_of_the_new_cluster_is_sent(server: RestoreServer, run: Run) -> None:
    export = str(uuid4())
    options = ("--as", "other", "--to-project", "acme/search", "--host", "east", "--kubernetes-version", "1.35")
    assert run("restore", export, *options, "--older").exit_code == 0
    assert asked(server).path == f"/exports/{export}/restore"
    assert asked(server).body == {
        "name": "other",
        "project": "acme/search",
        "host": "east",
        "kubernetes_version": "1.35",
        "older_kubernetes": True,
    }


def test_into_names_a_cluster_that_is_there(server: RestoreServer, run: Run) -> None:
    target = server.add_cluster("target")
    assert run("restore", str(uuid4()), "--into", "target", "--overwrite").exit_code == 0
    assert asked(server).body == {"into": target["id"], "overwrite": True}


@pytest.mark.parametrize("options", [("--overwrite",), ("--into", "target", "--as", "x"), ("--dry-run", "--wait")])
def test_what_does_not_go_together_is_refused_before_anything_is_asked(
    server: RestoreServer, run: Run, options: tuple[str, ...]
) -> None:
    assert run("restore", str(uuid4()), *options).exit_code == 2
    assert not server.asked("POST", "/exports")


def test_with_wait_it_tells_what_came_of_it(server: RestoreServer, run: Run) -> None:
    result = run("restore", str(uuid4()), "--wait")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[1:] == [
        "3 of 5 objects are as they were exported.",
        "  conflict: ConfigMap shop/a (data.x, data.y)",
        "  refused: Gadget.example.com shop/b (It serves no Gadget.)",
    ]
    assert result.stdout.startswith("again was restored in ")
    assert json.loads(run("restore", str(uuid4()), "--wait", "-o", "json").stdout)["name"] == "again"


def test_the_operation_lists_all_that_is_not_as_it_was(server: RestoreServer, run: Run) -> None:
    operation = server.add_operation("restore", state="Succeeded", restored=RESTORED)
    shown = run("op", "get", operation["id"]).stdout
    assert "3 of 5 objects are as they were exported." in shown
    assert "  refused: Gadget.example.com shop/b (It serves no Gadget.)" in shown


def test_who_asks_for_a_cluster_that_was_deleted_is_told_how_to_have_it_again(server: RestoreServer, run: Run) -> None:
    gone(server)
    result = run("get", "shop")
    assert result.exit_code == 4
    assert "It was deleted 2026-11-20" in result.stderr
    assert "marina restore shop --project acme/payments" in result.stderr


def test_a_dry_run_says_that_nothing_was_done(server: RestoreServer, run: Run) -> None:
    result = run("restore", str(uuid4()), "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "again would be restored.\n")
    assert asked(server).query["dry_run"] == "true"


def test_where_there_is_no_export_it_says_where_to_look(server: RestoreServer, run: Run) -> None:
    gone(server)
    result = run("restore", "shop")
    assert result.exit_code == 4
    assert "marina export list" in result.stderr
