"""What a gateway counts is what happened."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.metrics import REGISTRY
from gateway.server import Server
from tests.gateway.callers import target
from tests.gateway.h2_server import Asked, H2Server
from tests.gateway.small_gateway import Small, played

WATCH = "/api/v1/pods?watch=1"


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"marina_gateway_{name}", labels) or 0.0


def counting(name: str, **labels: str) -> Callable[[], float]:
    """How much more there is than now."""
    before = counted(name, **labels)
    return lambda: counted(name, **labels) - before


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return Small(tmp_path)


def test_requests_are_counted_by_verb_and_status_and_measured_by_part(small: Small) -> None:
    lists = counting("requests_total", verb="list", code="200")
    deletions = counting("requests_total", verb="delete", code="404")
    parts = {part: counting("seconds_count", part=part) for part in ("auth", "dial", "upstream")}
    spent = counting("seconds_sum", part="upstream")

    def answer(server: H2Server, stream_id: int, asked: Asked) -> None:
        server.answer(stream_id, 404 if asked.headers[b":method"] == b"DELETE" else 200, b"{}")

    async def play(server: Server) -> None:
        for _ in range(3):
            await small.ask(path="/api/v1/pods")
        await small.ask(path="/api/v1/namespaces/a/pods/b", method="DELETE")
        assert (lists(), deletions()) == (3, 1)
        assert {part: count() for part, count in parts.items()} == {"auth": 4, "dial": 4, "upstream": 4}
        assert 0 < spent() < 30

    small.answer = answer
    played(small, play)


def test_what_is_open_is_counted_while_it_is(small: Small) -> None:
    def answer(server: H2Server, stream_id: int, asked: Asked) -> None:
        server.answer(stream_id, 200, b"one", end=False)

    async def play(server: Server) -> None:
        line = await small.connect()
        line.say(small.head(path=WATCH))
        await line.head()
        assert counted("requests_open", kind="watch") == 1
        assert counted("connections") == 1
        line.close()
        await until(lambda: counted("requests_open", kind="watch") == 0 and counted("connections") == 0)

    small.answer = answer
    played(small, play)


def test_dials_are_counted_by_what_came_of_them(small: Small, tmp_path: Path) -> None:
    made, measured = counting("dials_total", result="made"), counting("dial_seconds_count")
    failed = counting("dials_total", result="unreachable")

    async def play(server: Server) -> None:
        await small.ask()
        await small.ask()
        assert (made(), measured(), failed()) == (1, 1, 0)

    async def nowhere(server: Server) -> None:
        assert (await small_too.ask()).status == 503
        assert (made(), measured()) == (1, 1)
        assert failed() >= 2, "it was tried for a while"

    played(small, play)
    small_too = Small(tmp_path, published=False)
    played(small_too, nowhere)


@pytest.mark.parametrize(
    ("why", "how"),
    [
        ("no-token", {"token": ""}),
        ("unauthenticated", {"token": "mar_wrong"}),
        ("bad-request", {"path": "/../x"}),
        ("identity-header", {"lines": ("X-Remote-User: root",)}),
        ("too-large", {"lines": ("Content-Length: 9999999",), "method": "POST", "path": "/api/v1/namespaces"}),
    ],
)
def test_what_the_gateway_refuses_is_counted_by_why(small: Small, why: str, how: dict[str, str]) -> None:
    refused = counting("refused_total", why=why)

    async def play(server: Server) -> None:
        lines = how.pop("lines", ())
        assert (await small.ask(*lines, **how)).status >= 400
        assert refused() == 1

    played(small, play)


def test_who_is_turned_away_at_a_sleeping_cluster_is_counted(small: Small) -> None:
    refused = counting("refused_total", why="asleep")
    small.phase = replace(target(small.caller.cluster_id), phase="Asleep", served=False, sentence="is asleep")

    async def play(server: Server) -> None:
        await small.ask("User-Agent: k9s/v0.50")
        assert refused() == 1

    played(small, play)
