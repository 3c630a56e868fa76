"""`--as` at the gateway: whom somebody may be seen as, and as whom nobody is."""

import json
from pathlib import Path

import pytest

from gateway import acting_as
from gateway.claimed import LONGEST_CLAIMS, LONGEST_NAME, MOST_CLAIMS, Claimed
from gateway.records import request_told
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


WHO = (
    *("Impersonate-User: john", "Impersonate-Uid: 7", "Impersonate-Group: ops", "Impersonate-Group: web"),
    *("Impersonate-Extra-scopes: hush", "Impersonate-Extra-Acme.com%2Fproject: hush", "Impersonate-Extra-scopes: all"),
)


def test_whom_somebody_acts_as_is_in_the_books_in_full_but_for_what_may_be_secret(small: Small) -> None:
    async def play(server: Server) -> None:
        assert (await small.ask(*WHO, path="/api/v1/secrets")).body == b"john"
        assert (await small.ask()).status == 200
        other, own = small.records
        assert other.acting_as == Claimed("john", "7", ("ops", "web"), ("acme.com/project", "scopes"))
        assert (other.caller.handle, other.status, other.doing.verb) == ("jane", 200, "list")
        row = request_told(other)
        assert (row["user"], row["acting_as"], row["acting_as_uid"]) == ("jane", "john", "7")
        assert (row["acting_as_groups"], row["acting_as_extras"]) == (["ops", "web"], ["acme.com/project", "scopes"])
        assert "hush" not in repr((other, row))
        assert own.acting_as is None

    played(small, play)


def test_what_was_refused_is_in_the_books_with_whom_they_wanted_to_be(small: Small) -> None:
    async def play(server: Server) -> None:
        assert (await small.ask("Impersonate-User: john", "Impersonate-Group: system:masters")).status == 403
        assert small.records[0].acting_as == Claimed("john", groups=("system:masters",))
        assert small.records[0].refused_for == "impersonation"

    played(small, play)


@pytest.mark.parametrize(
    "lines",
    [
        ["Impersonate-User: john", *(f"Impersonate-Group: g{number}" for number in range(MOST_CLAIMS))],
        ["Impersonate-User: " + "j" * (LONGEST_NAME + 1)],
        ["Impersonate-User: john", "Impersonate-Extra-x: " + "y" * LONGEST_CLAIMS],
        ["Impersonate-User: john", f"Impersonate-Extra-{'x' * 300}: y"],
    ],
)
def test_more_than_can_be_written_down_whole_is_refused_unasked(small: Small, lines: list[str]) -> None:
    async def play(server: Server) -> None:
        answer = await small.ask(*lines)
        assert (answer.status, small.records[0].refused_for) == (400, "impersonation")
        assert all(asked.headers[b":path"] != REVIEW for each in small.upstreams for asked in each.asked.values())

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
