"""Clients of every kind at a whole gateway: what they send in which pieces, and what happens when something breaks."""

import asyncio
import socket
from pathlib import Path

import pytest
from h2.errors import ErrorCodes

from gateway import request
from gateway.server import Patience, Server
from tests.gateway.callers import target
from tests.gateway.h2_server import Asked, H2Server
from tests.gateway.small_gateway import TOKEN, Small, played

MEBIBYTE = 1024 * 1024


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return Small(tmp_path)


def echo(server: H2Server, stream_id: int, asked: Asked) -> None:
    """Answers with the path, and how much of a body came."""
    told = asked.headers[b":path"] + b" " + str(len(asked.body)).encode()
    server.answer(stream_id, 200, told)


def test_requests_that_come_in_one_piece_are_answered_in_order_over_one_connection(small: Small) -> None:
    async def play(server: Server) -> None:
        line = await small.connect()
        line.say(small.head(path="/one") + small.head(path="/two") + small.head(path="/three"))
        assert [(await line.answer()).body for _ in range(3)] == [b"/one 0", b"/two 0", b"/three 0"]
        line.say(small.head(path="/four"))
        assert (await line.answer()).body == b"/four 0"
        assert len(small.upstreams) == 1

    small.answer = echo
    played(small, play)


def test_a_head_that_comes_byte_by_byte_is_a_head(small: Small) -> None:
    async def play(server: Server) -> None:
        line = await small.connect()
        for byte in small.head():
            line.say(bytes([byte]))
            await line.writer.drain()
            await asyncio.sleep(0)
        assert (await line.answer()).status == 200

    played(small, play)


def test_who_asks_whether_to_go_on_is_told_so_when_somebody_wants_the_body(small: Small) -> None:
    async def play(server: Server) -> None:
        line = await small.connect()
        line.say(small.head("Content-Length: 4", "Expect: 100-continue", method="POST"))
        assert (await line.head())[0] == 100
        line.say(b"body")
        assert (await line.answer()).body == b"/version 4"
        line.say(small.head("Content-Length: 4", "Expect: 100-continue", method="POST", token="mar_wrong"))
        assert (await line.head())[0] == 401, "nobody wants the body of a stranger"

    small.answer = echo
    played(small, play)


def test_chunked_uploads_and_bodies_larger_than_any_window_arrive_whole(small: Small) -> None:
    async def play(server: Server) -> None:
        line = await small.connect()
        line.say(small.head("Transfer-Encoding: chunked", method="POST"))
        for _ in range(300):
            line.say(b"2800\r\n" + b"x" * 0x2800 + b"\r\n")
        line.say(b"0\r\n\r\n" + small.head(path="/next"))
        assert (await line.answer()).body == f"/version {300 * 0x2800}".encode()
        assert (await line.answer()).body == b"/next 0"
        line.say(small.head(f"Content-Length: {4 * MEBIBYTE}", method="PUT") + b"y" * (4 * MEBIBYTE))
        assert (await line.answer()).body == f"/version {4 * MEBIBYTE}".encode()

    small.answer = echo
    played(small, play)


@pytest.mark.parametrize("body", [b"zz\r\nhello\r\n0\r\n\r\n", b"5\r\nhel"])
def test_a_body_that_cannot_be_read_or_breaks_off_ends_the_connection_and_the_request(
    small: Small, body: bytes
) -> None:
    async def play(server: Server) -> None:
        line = await small.connect()
        line.say(small.head("Transfer-Encoding: chunked", method="POST") + body)
        line.writer.write_eof()
        assert b"200" not in await line.ended()
        assert (await small.ask()).status == 200

    played(small, play)


def test_answers_without_a_body_leave_the_connection_ready(small: Small) -> None:
    def answer(server: H2Server, stream_id: int, asked: Asked) -> None:
        status = int(asked.headers[b":path"][1:])
        server.answer(stream_id, status)

    async def play(server: Server) -> None:
        line = await small.connect()
        line.say(small.head(path="/200", method="HEAD"))
        assert (await line.answer(method="HEAD")).status == 200
        for status in (204, 304):
            line.say(small.head(path=f"/{status}"))
            assert (await line.answer()).status == status
        line.say(small.head(method="HEAD", token="mar_wrong"))
        refused = await line.answer(method="HEAD")
        assert (refused.status, refused.headers["content-type"]) == (401, "application/json")
        line.say(small.head(path="/204"))
        assert (await line.answer()).status == 204

    small.answer = answer
    played(small, play)


def test_an_answer_that_comes_before_the_body_is_over_reaches_who_still_sends(small: Small) -> None:
    async def play(server: Server) -> None:
        line = await small.connect()
        line.say(small.head(f"Content-Length: {20 * MEBIBYTE}", method="POST") + b"x" * MEBIBYTE)
        while not (
            small.upstreams and any(b"POST" in each.headers.values() for each in small.upstreams[0].asked.values())
        ):
            await asyncio.sleep(0.01)
        api = small.upstreams[0]
        stream_id = max(api.asked)
        api.answer(stream_id, 413, b"too large")
        api.h2.reset_stream(stream_id, ErrorCodes.NO_ERROR)
        api.send()
        line.say(b"x" * (19 * MEBIBYTE))
        assert (await line.answer()).status == 413

    small.takes = False
    played(small, play)


def test_what_the_api_server_refused_is_sent_again_unseen_and_with_a_body_the_client_is_told_to(small: Small) -> None:
    seen: list[bytes] = []

    def answer(server: H2Server, stream_id: int, asked: Asked) -> None:
        seen.append(asked.headers[b":method"])
        if len(seen) in (1, 3):
            server.h2.reset_stream(stream_id, ErrorCodes.REFUSED_STREAM)
            server.send()
        else:
            server.answer(stream_id, 200, b"ok")

    async def play(server: Server) -> None:
        assert (await small.ask()).status == 200
        line = await small.connect()
        line.say(small.head("Content-Length: 1", method="POST") + b"x")
        again = await line.answer()
        assert (again.status, again.headers["retry-after"]) == (503, "1")
        assert "Send it again" in again.message
        line.say(small.head("Content-Length: 1", method="POST") + b"x")
        assert (await line.answer()).status == 200, "over the same connection"
        assert seen == [b"GET", b"GET", b"POST", b"POST"]

    small.answer = answer
    played(small, play)


def test_a_connection_that_breaks_is_made_anew_for_who_only_reads_and_told_to_who_changes(small: Small) -> None:
    broken: list[bytes] = []

    def answer(server: H2Server, stream_id: int, asked: Asked) -> None:
        if asked.headers[b":method"] not in broken:
            broken.append(asked.headers[b":method"])
            server.stream.close()
        else:
            server.answer(stream_id, 200, b"ok")

    async def play(server: Server) -> None:
        assert (await small.ask()).status == 200
        line = await small.connect()
        line.say(small.head("Content-Length: 1", method="POST") + b"x")
        told = await line.answer()
        assert told.status == 500
        assert "Look whether it was done" in told.message
        assert (await small.ask(method="DELETE")).status == 500
        assert (await small.ask(method="DELETE")).status == 200

    small.answer = answer
    played(small, play)


def test_an_api_server_that_goes_away_in_good_order_breaks_nothing(small: Small) -> None:
    def answer(server: H2Server, stream_id: int, asked: Asked) -> None:
        if asked.headers[b":path"] == b"/watch":
            server.answer(stream_id, 200, b"one", end=False)
        else:
            server.answer(stream_id, 200, b"ok")

    async def play(server: Server) -> None:
        watch = await small.connect()
        watch.say(small.head(path="/watch"))
        await watch.head()
        assert await watch.chunk() == b"one"
        api = small.upstreams[0]
        stream_id = max(api.asked)
        api.goes_away(2**31 - 1)
        assert (await small.ask()).status == 200
        assert len(small.upstreams) == 2, "what is new goes over a new connection"
        api.h2.send_data(stream_id, b"two", end_stream=True)
        api.send()
        assert await watch.chunk() == b"two"
        assert await watch.chunk() == b""

    small.answer = answer
    played(small, play)


def test_who_says_too_little_for_too_long_is_told_and_who_says_nothing_at_all_is_not(small: Small) -> None:
    async def play(server: Server) -> None:
        slow, idle, never = await small.connect(), await small.connect(), await small.connect()
        slow.say(b"GET /v1/clu")
        idle.say(small.head())
        assert (await idle.answer()).status == 200
        assert (await slow.answer()).status == 408
        for line in (slow, idle, never):
            assert await line.ended() == b""

    small.patience = Patience(head=0.1, idle=0.1)
    played(small, play)


def test_above_the_most_connections_the_longest_idle_one_leaves_for_a_new_one(small: Small) -> None:
    async def play(server: Server) -> None:
        lines = []
        for _ in range(3):
            lines.append(await small.connect())
            lines[-1].say(small.head())
            assert (await lines[-1].answer()).status == 200
        for _ in range(5):
            assert (await small.ask()).status == 200
        assert await lines[0].ended() == b""
        assert server.open <= 3

    small.connections = 3
    played(small, play)


def test_above_the_most_connections_one_is_turned_away_and_has_room_when_another_leaves(small: Small) -> None:
    def answer(server: H2Server, stream_id: int, asked: Asked) -> None:
        watched = asked.headers[b":path"] == b"/watch"
        server.answer(stream_id, 200, b"one", end=not watched)

    async def play(server: Server) -> None:
        lines = [await small.connect() for _ in range(3)]
        for line in lines:
            line.say(small.head(path="/watch"))
            assert (await line.head())[0] == 200
        over = await small.connect()
        assert await over.ended() == b""
        lines[0].close()
        while server.open == 3:
            await asyncio.sleep(0.01)
        assert (await small.ask()).status == 200

    small.answer = answer
    small.connections = 3
    played(small, play)


def test_of_those_who_never_asked_anything_the_oldest_leaves_and_who_was_let_in_stays(small: Small) -> None:
    async def play(server: Server) -> None:
        known = await small.connect()
        known.say(small.head())
        assert (await known.answer()).status == 200
        newcomers = [await small.connect() for _ in range(5)]
        for line in newcomers[:3]:
            assert await line.ended() == b""
        newcomers[4].say(small.head())
        assert (await newcomers[4].answer()).status == 200
        known.say(small.head())
        assert (await known.answer()).status == 200

    small.newcomers = 2
    played(small, play)


def test_access_that_ends_while_a_request_waits_is_told_and_ends_a_watch_that_is_open(small: Small) -> None:
    def answer(server: H2Server, stream_id: int, asked: Asked) -> None:
        if asked.headers[b":path"] == b"/watch":
            server.answer(stream_id, 200, b"one", end=False)

    async def play(server: Server) -> None:
        watch, waiting = await small.connect(), await small.connect()
        watch.say(small.head(path="/watch"))
        await watch.head()
        waiting.say(small.head(path="/slow"))
        while len(small.upstreams[0].asked) < 5:  # three of them are Marina's own
            await asyncio.sleep(0.01)
        small.books.callers.clear()
        await small.doorman.recheck()  # type: ignore[attr-defined]
        assert (await waiting.answer()).status == 401
        assert not (await watch.ended()).endswith(b"0\r\n\r\n"), "it has not ended by itself"

    small.answer = answer
    played(small, play)


def test_an_api_server_that_has_just_begun_is_asked_nothing_until_it_is_ready(small: Small) -> None:
    async def play(server: Server) -> None:
        assert (await small.ask()).status == 200
        assert small.readiness == []
        paths = [asked.headers[b":path"] for asked in small.upstreams[0].asked.values()]
        assert paths.count(b"/readyz") == 3
        assert paths.index(b"/version") > 2

    small.readiness = [500, 503, 200]
    played(small, play)


def test_what_fails_in_the_gateway_itself_is_an_answer_too(small: Small) -> None:
    async def play(server: Server) -> None:
        small.books.error = ValueError("a mistake of ours")  # type: ignore[assignment]
        small.books.callers.clear()
        answer = await small.ask()
        assert (answer.status, answer.message) == (500, "The gateway failed at this; its log says why.")

    played(small, play)


def test_a_forbidden_answer_has_the_levels_bindings_looked_after(small: Small) -> None:
    async def play(server: Server) -> None:
        assert (await small.ask()).status == 403
        assert len(small.bindings) == 2
        upstream = next(iter(server._door._upstreams._open.values()))[2]
        upstream._roles._kept -= 6
        assert (await small.ask()).status == 403
        while len(small.bindings) < 4:
            await asyncio.sleep(0.01)

    small.answer = lambda server, stream_id, asked: server.answer(stream_id, 403, b"{}")
    played(small, play)


def test_a_gateway_that_stops_ends_what_is_under_way_and_says_so_and_takes_nobody_new(small: Small) -> None:
    def answer(server: H2Server, stream_id: int, asked: Asked) -> None:
        if asked.headers[b":path"] != b"/slow":
            server.answer(stream_id, 200, b"ok")

    async def play(server: Server) -> None:
        slow, late, idle = [await small.connect() for _ in range(3)]
        for line in (late, idle):
            line.say(small.head())
            assert "connection" not in (await line.answer()).headers
        slow.say(small.head(path="/slow"))
        while len(small.upstreams[0].asked) < 6:
            await asyncio.sleep(0.01)
        stopping = asyncio.create_task(server.stop(grace=10))
        await asyncio.sleep(0.05)
        with pytest.raises(OSError, match=r"111|refused"):
            await small.connect()
        late.say(small.head())
        answered = await late.answer()
        assert (answered.status, answered.headers["connection"]) == (200, "close")
        assert await idle.ended() == b""
        small.upstreams[0].answer(max(small.upstreams[0].asked) - 2, 200, b"done")
        answered = await slow.answer()
        assert (answered.body, answered.headers["connection"]) == (b"done", "close")
        await stopping

    small.answer = answer
    played(small, play)


def asleep(small: Small):
    return target(small.caller.cluster_id, phase="Asleep", served=False, sentence="is asleep")


def test_a_dashboard_does_not_wake_and_gets_the_command_that_does(small: Small) -> None:
    async def play(server: Server) -> None:
        answer = await small.ask("User-Agent: k9s/v0.50")
        assert answer.status == 503
        assert "marina wake web -p acme/shop" in answer.message
        assert small.woken == 0

    small.phase = asleep(small)
    played(small, play)


def test_kubectl_wakes_and_gets_through_as_soon_as_the_cluster_is_there(small: Small) -> None:
    async def play(server: Server) -> None:
        line = await small.connect()
        line.say(small.head("User-Agent: kubectl/v1.36"))
        while not small.woken:
            await asyncio.sleep(0.01)
        (admission,) = small.doorman._known.values()  # type: ignore[attr-defined]
        admission.where.target = target(small.caller.cluster_id)
        assert (await line.head())[0] in (200, 503)
        assert small.woken == 1

    small.phase = asleep(small)
    played(small, play)


def test_every_request_is_in_the_books_and_no_secret_is(small: Small) -> None:
    async def play(server: Server) -> None:
        await small.ask(path="/api/v1/namespaces/default/secrets/s?x=hidden")
        (record,) = small.records
        assert (record.status, record.doing.verb, record.doing.resource) == (200, "get", "secrets")
        assert TOKEN not in repr(record)
        assert "hidden" not in repr(record)

    played(small, play)


def test_a_socket_that_is_reset_in_the_middle_of_an_answer_leaves_nothing_behind(small: Small) -> None:
    def answer(server: H2Server, stream_id: int, asked: Asked) -> None:
        server.answer(stream_id, 200, b"one", end=False)

    async def play(server: Server) -> None:
        line = await small.connect()
        line.say(small.head())
        await line.head()
        raw = line.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        line.writer.transport.abort()
        while server.open:
            await asyncio.sleep(0.01)
        api = small.upstreams[0]
        await api.until(lambda: api.asked[max(api.asked)].reset is not None)

    small.answer = answer
    played(small, play)


@pytest.mark.parametrize("ends", ["goodbye", "reset"])
def test_who_leaves_after_a_whole_body_ends_the_request_that_nobody_answers(small: Small, ends: str) -> None:
    async def play(server: Server) -> None:
        line = await small.connect()
        line.say(small.head("Content-Length: 4", path="/never", method="POST") + b"body")
        while not (asked := never()):
            await asyncio.sleep(0.01)
        if ends == "reset":
            line.writer.transport.abort()
        else:
            line.close()
        async with asyncio.timeout(5):
            while asked[0].reset is None:
                await asyncio.sleep(0.01)

    def never() -> list[Asked]:
        asked = [each for api in small.upstreams for each in api.asked.values()]
        return [each for each in asked if each.headers[b":path"] == b"/never" and each.ended]

    small.answer = lambda server, stream_id, asked: None
    played(small, play)


def test_an_answer_that_breaks_each_time_is_asked_for_a_few_times_only(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def answer(server: H2Server, stream_id: int, asked: Asked) -> None:
        tries.append(stream_id)
        server.h2.reset_stream(stream_id, ErrorCodes.INTERNAL_ERROR)
        server.send()

    async def play(server: Server) -> None:
        assert (await small.ask()).status == 503
        assert len(tries) <= 6

    monkeypatch.setattr(request, "READY_PATIENCE", 1.0)
    small.answer = answer
    played(small, play)
