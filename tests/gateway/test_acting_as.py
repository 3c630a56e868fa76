"""`--as` at the gateway: whom somebody may be seen as, and as whom nobody is."""

import json
from pathlib import Path

import pytest

from gateway import acting_as
from gateway.server import Server
from tests.gateway.h2_server import Asked, H2Server
from tests.gateway.small_gateway import Small, played

REVIEW = b"/apis/authorization.k8s.io/v1/subjectaccessreviews"


@pytest.fixture
def small(tmp_path: Path) -> Small:
    """Its API server lets everybody act as everybody."""
    small = Small(tmp_path)
    small.answer = lets_everybody
    return small


def lets_everybody(server: H2Server, stream_id: int, asked: Asked) -> None:
    if asked.headers[b":path"] == REVIEW:
        server.answer(stream_id, 201, json.dumps({"status": {"allowed": True}}).encode())
    else:
        server.answer(stream_id, 200, asked.headers.get(b"impersonate-user", b"MARINA ITSELF"))


def test_who_may_is_seen_as_the_other_one(small: Small) -> None:
    async def play(server: Server) -> None:
        assert (await small.ask("Impersonate-User: john")).body == b"john"

    played(small, play)


@pytest.mark.parametrize(
    "lines",
    [
        ["Impersonate-User:"],
        ["Impersonate-User: "],
        ["Impersonate-User:", "Impersonate-User: john"],
        ["Impersonate-User: john", "Impersonate-User: kubernetes"],
        ["Impersonate-User: john", "Impersonate-Uid: 1", "impersonate-uid: 2"],
        ["Impersonate-User: john", "Impersonate-Group:"],
        ["Impersonate-Group: developers"],
        ["Impersonate-Extra-x: y"],
    ],
)
def test_a_claim_that_an_api_server_would_not_see_or_read_otherwise_is_refused(small: Small, lines: list[str]) -> None:
    # with an empty user an API server takes the request for Marina's own, which is above every rule
    async def play(server: Server) -> None:
        answer = await small.ask(*lines)
        assert answer.status == 400, answer.body
        assert all(asked.headers[b":path"] != b"/version" for each in small.upstreams for asked in each.asked.values())

    played(small, play)


def test_an_api_server_that_says_nothing_or_too_much_about_it_holds_up_nobody_for_long(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acting_as, "REVIEW_SECONDS", 0.3)

    def silent(server: H2Server, stream_id: int, asked: Asked) -> None:
        if asked.body and b"silent" in asked.body:
            return
        server.answer(stream_id, 201, *[b"[" * 16_000] * 4, end=False)

    async def play(server: Server) -> None:
        for name in ("silent", "endless"):
            answer = await small.ask(f"Impersonate-User: {name}")
            assert answer.status == 503
            assert "did not say whether you may" in answer.message

    small.answer = silent
    played(small, play)
