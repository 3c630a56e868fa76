"""The shared connection to an API server: windows, refusals, goodbyes, silence."""

import asyncio

import pytest
from h2.errors import ErrorCodes

from gateway.exchange import Exchange, NotProcessed
from gateway.http2 import STREAM_WINDOW, Http2Connection
from tests.gateway.h2_server import H2Server, scene

MEBIBYTE = 1024 * 1024


def get(connection: Http2Connection, path: bytes = b"/version") -> Exchange:
    return connection.request(b"GET", path, [(b"accept", b"application/json")], has_body=False)


async def whole(exchange: Exchange) -> bytes:
    body = b""
    while part := await exchange.read():
        body += part
    return body


async def settled() -> None:
    """Until both have said what they had to say."""
    for _ in range(50):
        await asyncio.sleep(0)


def test_a_request_and_its_answer() -> None:
    async def play(connection: Http2Connection, server: H2Server) -> None:
        exchange = get(connection)
        await server.until(lambda: server.asked)
        ((stream_id, asked),) = server.asked.items()
        assert asked.headers[b":authority"] == b"localhost:8443"
        assert (asked.headers[b":method"], asked.headers[b":path"], asked.ended) == (b"GET", b"/version", True)
        server.answer(stream_id, 200, b"a", b"b")
        assert (await exchange.head())[0] == 200
        assert await whole(exchange) == b"ab"
        exchange.cancel()
        assert connection.open_exchanges == 0

    scene(play)


def test_an_answer_that_nobody_takes_fills_its_window_and_holds_up_no_other() -> None:
    async def play(connection: Http2Connection, server: H2Server) -> None:
        slow, quick = get(connection, b"/slow"), get(connection, b"/quick")
        await server.until(lambda: len(server.asked) == 2)
        first, second = server.asked
        server.answer(first, 200, end=False)
        sent = 0
        while server.h2.local_flow_control_window(first) > 0:
            size = min(16_384, server.h2.local_flow_control_window(first))
            server.h2.send_data(first, b"x" * size)
            server.send()
            sent += size
            await asyncio.sleep(0)
        assert sent == STREAM_WINDOW, "so much and no more waits for a client that takes nothing"
        server.answer(second, 200, b"quick")
        assert await whole(quick) == b"quick"
        taken = len(await slow.read())
        await server.until(lambda: server.h2.local_flow_control_window(first) >= taken)

    scene(play)


def test_a_body_larger_than_every_window_arrives_whole_and_waits_while_nobody_takes_it() -> None:
    async def play(connection: Http2Connection, server: H2Server) -> None:
        exchange = connection.request(b"POST", b"/big", [], has_body=True)
        body = b"0123456789abcdef" * (3 * MEBIBYTE // 16)
        sending = asyncio.create_task(exchange.send(body))
        await server.until(lambda: server.asked and len(server.asked[1].body) == 65_535)
        await settled()
        assert not sending.done(), "the server gives back no window"
        assert len(server.asked[1].body) == 65_535
        server.takes = True
        server.h2.acknowledge_received_data(65_535, 1)
        server.send()
        await sending
        await exchange.end()
        await server.until(lambda: server.asked[1].ended)
        assert bytes(server.asked[1].body) == body

    scene(play, takes=False)


def test_what_the_server_refused_may_be_sent_again_and_what_it_broke_off_may_not() -> None:
    async def play(connection: Http2Connection, server: H2Server) -> None:
        refused, broken = get(connection), get(connection)
        await server.until(lambda: len(server.asked) == 2)
        server.h2.reset_stream(1, ErrorCodes.REFUSED_STREAM)
        server.h2.reset_stream(3, ErrorCodes.INTERNAL_ERROR)
        server.send()
        with pytest.raises(NotProcessed):
            await refused.head()
        with pytest.raises(ConnectionResetError) as caught:
            await broken.head()
        assert not isinstance(caught.value, NotProcessed)
        assert connection.usable

    scene(play)


def test_a_server_that_goes_away_ends_what_it_began_and_what_it_did_not_begin_may_be_sent_again() -> None:
    async def play(connection: Http2Connection, server: H2Server) -> None:
        watch, late = get(connection, b"/watch"), get(connection, b"/late")
        upload = connection.request(b"POST", b"/upload", [], has_body=True)
        await server.until(lambda: len(server.asked) == 3)
        server.answer(1, 200, b"before", end=False)
        server.answer(5, 200, end=False)
        assert (await watch.head())[0] == 200
        # all in one piece, as it comes over a real connection
        server.goes_away(2**31 - 1)
        server.answer(3, 200, b"late")
        assert await whole(late) == b"late"
        assert not connection.usable
        assert not connection.has_room
        await upload.send(b"body")
        await upload.end()
        await server.until(lambda: server.asked[5].ended)
        server.h2.send_data(1, b"after", end_stream=True)
        server.send()
        assert await whole(watch) == b"beforeafter"
        server.goes_away(1)
        with pytest.raises(NotProcessed):
            await whole(upload)

    scene(play)


def test_a_goodbye_with_an_error_is_the_end() -> None:
    async def play(connection: Http2Connection, server: H2Server) -> None:
        watch = get(connection)
        await server.until(lambda: server.asked)
        server.answer(1, 200, b"x", end=False)
        await watch.read()
        server.goes_away(1, error=int(ErrorCodes.INTERNAL_ERROR))
        server.stream.close()
        with pytest.raises(ConnectionError):
            await whole(watch)
        assert not connection.usable

    scene(play)


def test_a_connection_that_ends_fails_all_that_is_under_way() -> None:
    async def play(connection: Http2Connection, server: H2Server) -> None:
        exchanges = [get(connection) for _ in range(5)]
        await server.until(lambda: len(server.asked) == 5)
        server.stream.close()
        for exchange in exchanges:
            with pytest.raises(ConnectionResetError):
                await exchange.head()
        with pytest.raises(ConnectionResetError):
            get(connection)

    scene(play)


def test_nonsense_from_the_server_is_a_broken_connection_and_no_crash() -> None:
    async def play(connection: Http2Connection, server: H2Server) -> None:
        exchange = get(connection)
        await server.until(lambda: server.asked)
        server.stream.write(b"\0\0\5\4\0\0\0\0\0abcde")
        with pytest.raises(ConnectionResetError):
            await exchange.head()

    scene(play)


def test_an_early_answer_stands_although_the_rest_of_the_body_is_not_taken() -> None:
    async def play(connection: Http2Connection, server: H2Server) -> None:
        exchange = connection.request(b"POST", b"/too-large", [], has_body=True)
        sending = asyncio.create_task(exchange.send(b"x" * MEBIBYTE))
        await server.until(lambda: server.asked and server.asked[1].body)
        server.answer(1, 413, b"too large")
        server.h2.reset_stream(1, ErrorCodes.NO_ERROR)
        server.send()
        assert (await exchange.head())[0] == 413
        assert await whole(exchange) == b"too large"
        with pytest.raises(ConnectionResetError):
            await sending

    scene(play, takes=False)


def test_no_more_requests_than_the_server_allows() -> None:
    async def play(connection: Http2Connection, server: H2Server) -> None:
        first = get(connection)
        await server.until(lambda: server.asked)
        server.answer(1, 200, end=False)
        await first.head()
        assert connection.has_room
        second = get(connection)
        assert not connection.has_room
        second.cancel()
        assert connection.has_room

    scene(play, streams=2)


def test_who_leaves_early_tells_the_server() -> None:
    async def play(connection: Http2Connection, server: H2Server) -> None:
        watch = get(connection)
        await server.until(lambda: server.asked)
        server.answer(1, 200, b"event", end=False)
        assert await watch.read() == b"event"
        watch.cancel()
        await server.until(lambda: server.asked[1].reset == ErrorCodes.CANCEL)
        assert connection.usable

    scene(play)


def test_a_connection_whose_numbers_are_nearly_used_up_takes_no_more() -> None:
    async def play(connection: Http2Connection, server: H2Server) -> None:
        connection._h2.highest_outbound_stream_id = 2**31 - 9_999
        exchange = connection.request(b"GET", b"/", [], has_body=False)
        assert not connection.usable
        await server.until(lambda: server.asked)
        server.answer(exchange.stream_id, 200, b"ok")
        assert (await exchange.head())[0] == 200

    scene(play)


def test_silence_is_measured_from_the_ping_that_nobody_answers() -> None:
    async def play(connection: Http2Connection, server: H2Server) -> None:
        assert connection.unanswered_for() == 0
        connection.ping()
        await settled()
        assert connection.unanswered_for() == 0
        server.answered_pings = False
        connection.ping()
        await asyncio.sleep(0.02)
        connection.ping()
        assert connection.unanswered_for() >= 0.02

    scene(play)


def test_a_connection_that_is_retired_ends_with_its_last_request() -> None:
    async def play(connection: Http2Connection, server: H2Server) -> None:
        exchange = get(connection)
        await server.until(lambda: server.asked)
        connection.retire()
        assert not connection.usable
        server.answer(1, 200, b"whole")
        assert await whole(exchange) == b"whole"
        exchange.cancel()

    scene(play)
