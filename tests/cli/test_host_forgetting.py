"""`marina host disconnect --forget-retained`: what moved clusters left goes first, and is asked for first."""

from __future__ import annotations

from typing import Any

import pytest
from marina_cli.text import Json

from tests.cli.api_server import Answer, ApiServer
from tests.cli.conftest import Run

DRY = {"Marina-Dry-Run": "true"}
KEPT = {"virtual_cluster": "acme/payments/moving", "why": "It is busy: migrate is at work."}


class Leaving:
    """A host that keeps what `count` clusters left."""

    def __init__(self, server: ApiServer, count: int, **more: Any) -> None:
        self.server, self.id = server, server.add_host("east")["id"]
        self.path = f"/host-clusters/{self.id}/forget-retained"
        shop = {"id": "c1", "name": "shop"}
        operations = [server.add_operation("remove-placement", virtual_cluster=shop) for _ in range(count)]
        body: Json = {"host_cluster": server.hosts[self.id], "operations": operations, "kept": [], "hidden": 0, **more}
        server.say_once("POST", self.path, Answer(202, body, DRY))
        server.say_once("POST", self.path, Answer(202, body))

    @property
    def asked(self) -> int:
        return len([each for each in self.server.requests if each.path == self.path])

    @property
    def connected(self) -> bool:
        return self.id in self.server.hosts


def test_the_removals_are_begun_and_it_is_said_what_to_do_then(server: ApiServer, run: Run) -> None:
    east = Leaving(server, 2, kept=[KEPT], hidden=1)
    result = run("host", "disconnect", "east", "--forget-retained", "--yes")
    assert result.exit_code == 0, result.output
    assert result.stdout == "What 2 clusters left on east is being removed.\n"
    told = " ".join(result.stderr.split())
    assert "Then: marina host disconnect east" in told
    assert "east still keeps what acme/payments/moving left: It is busy: migrate is at work." in told
    assert "east still keeps what 1 that you may not see left there." in told
    assert east.connected


def test_with_wait_it_is_disconnected_when_they_are_done(server: ApiServer, run: Run) -> None:
    east = Leaving(server, 2)
    result = run("host", "disconnect", "east", "--forget-retained", "--wait", "--yes")
    assert result.exit_code == 0, result.output
    assert result.stdout == "east is disconnected.\n"
    assert not east.connected


def test_where_nothing_is_kept_it_is_disconnected_at_once(server: ApiServer, run: Run) -> None:
    east = Leaving(server, 0)
    assert run("host", "disconnect", "east", "--forget-retained", "--yes").stdout == "east is disconnected.\n"
    assert not east.connected


def test_at_a_terminal_it_asks_before_anything_is_given_up(
    server: ApiServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True, raising=False)
    east = Leaving(server, 2)
    refused = run("host", "disconnect", "east", "--forget-retained", stdin="y\nn\n")
    assert refused.exit_code == 1
    assert "Give up copies of 2 clusters that moved away from east? They cannot go back there then." in refused.stderr
    assert (east.asked, east.connected) == (1, True), "the dry run only"
