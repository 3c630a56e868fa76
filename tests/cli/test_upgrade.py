"""`marina upgrade`: the way is shown before anything begins, and nobody's choice is made for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.api_server import Answer, ApiServer, Request
from tests.cli.conftest import Run

PLAIN: dict[str, Any] = {
    "plan": ["Everything in it is exported.", "Kubernetes 1.35.4 becomes Kubernetes 1.36.3."],
    "findings": [{"weight": "note", "code": "rollback", "about": "shop", "message": "It can be put back.", "hint": ""}],
    "expected": {"API away": 15.0},
}
REMOVED = {
    "weight": "choice",
    "code": "removed-api",
    "about": "PodDisruptionBudget shop/web",
    "message": "It was written as policy/v1beta1 by helm.",
    "hint": "Write it as policy/v1.",
    "choice": "removed-apis",
    "options": {"accept": "Upgrade all the same."},
}
ASLEEP = {"weight": "blocks", "code": "asleep", "about": "shop", "message": "It is asleep.", "hint": "Wake it."}


class UpgradeServer(ApiServer):
    """Whose preflights find `report`."""

    def __init__(self) -> None:
        super().__init__()
        self.report = PLAIN

    def __enter__(self) -> UpgradeServer:
        super().__enter__()
        return self

    def _virtual_clusters(self, request: Request, rest: str) -> Answer:
        identity, _, action = rest.partition("/")
        if request.method != "POST" or not action.startswith("upgrade"):
            return super()._virtual_clusters(request, rest)
        kind = "preflight" if action == "upgrade-preflight" else "upgrade"
        answer = self._started("virtual_cluster", self.clusters[identity], kind)
        self.operations[answer.body["operation"]["id"]]["report"] = self.report if kind == "preflight" else None
        return answer


@pytest.fixture
def server() -> Iterator[UpgradeServer]:
    with UpgradeServer() as running:
        yield running


def begun(server: UpgradeServer) -> list[Request]:
    return [each for each in server.asked("POST", "/virtual-clusters") if each.path.endswith("/upgrade")]


def test_the_way_is_shown_and_then_gone(server: UpgradeServer, run: Run) -> None:
    condition = {"type": "Upgraded", "status": "True", "message": "From Kubernetes 1.35.4 to 1.36.3."}
    server.add_cluster("shop", phase="Ready", conditions=[condition])
    result = run("upgrade", "shop", "--to", "1.36.3")
    assert result.exit_code == 0, result.output
    assert "Kubernetes 1.35.4 becomes Kubernetes 1.36.3." in result.stderr
    assert "It can be put back." in result.stderr
    assert "shop is Ready" in result.stdout
    assert "From Kubernetes 1.35.4 to 1.36.3." in result.stderr
    (request,) = begun(server)
    assert request.body == {"kubernetes_version": "1.36.3"}


def test_only_looking_begins_nothing(server: UpgradeServer, run: Run) -> None:
    server.add_cluster("shop")
    result = run("upgrade", "shop", "--preflight")
    assert result.exit_code == 0, result.output
    assert "API away: 15" in result.stdout
    server.report = {**PLAIN, "findings": [ASLEEP]}
    assert run("upgrade", "shop", "--preflight").exit_code == 1, "it would not begin"
    server.report = {**PLAIN, "findings": [REMOVED]}
    assert run("upgrade", "shop", "--preflight").exit_code == 1
    assert run("upgrade", "shop", "--preflight", "--removed-apis", "accept").exit_code == 0
    assert not begun(server)


def test_what_blocks_it_is_said_and_nothing_begins(server: UpgradeServer, run: Run) -> None:
    server.report = {**PLAIN, "findings": [ASLEEP]}
    server.add_cluster("shop")
    result = run("upgrade", "shop", "--yes")
    assert result.exit_code == 1
    assert "It is asleep." in result.stderr
    assert "Wake it." in result.stderr
    assert not begun(server)


def test_what_is_to_be_chosen_is_chosen_by_nobody_else(server: UpgradeServer, run: Run) -> None:
    server.report = {**PLAIN, "findings": [REMOVED]}
    server.add_cluster("shop")
    refused = run("upgrade", "shop", "--yes")
    assert refused.exit_code == 1
    assert "--removed-apis accept" in refused.stderr
    assert not begun(server)
    assert run("upgrade", "shop", "--yes", "--removed-apis", "accept", "--detach").exit_code == 0
    (request,) = begun(server)
    assert request.body == {"choices": {"removed-apis": "accept"}}
