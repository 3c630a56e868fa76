"""A cluster is moved while clients are at it: a whole gateway, and an API server that answers as it is told."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from django.utils import timezone

from clusters.freezing import GATEWAYS_KNOW_SECONDS
from gateway.server import Server
from gateway.targets import Origin
from tests.gateway.callers import target
from tests.gateway.h2_server import Asked, H2Server
from tests.gateway.small_gateway import Line, Small, played

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
WHY = "acme/shop/web is being moved to west; try again in a minute."
EVENT = b'{"type":"ADDED"}\n'


@pytest.fixture
def small(tmp_path: Path) -> Small:
    made = Small(tmp_path)
    made.phase = target(made.caller.cluster_id, phase="Migrating")
    made.answer = lambda server, stream_id, asked: None
    return made


def origin(foreign: int = 900, first: int = 1000) -> Origin:
    return Origin(timezone.now(), foreign, first)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def open_at(server: H2Server) -> list[int]:
    """The streams of clients that were not answered or ended."""
    return [
        stream_id
        for stream_id, asked in server.asked.items()
        if b"impersonate-user" in asked.headers and asked.reset is None
    ]


async def begun(small: Small, *lines: str, **how: str) -> tuple[Line, int]:
    """A request that has arrived at the API server, and its stream there."""
    line = await small.connect()
    before = set(open_at(small.upstreams[0])) if small.upstreams else set()
    line.say(small.head(*lines, **how))
    await until(lambda: small.upstreams and set(open_at(small.upstreams[0])) - before)
    (stream_id,) = set(open_at(small.upstreams[0])) - before
    return line, stream_id


async def switch(small: Small, **changes: object) -> None:
    await small.tell(key=(uuid4(), 1), origin=origin(), frozen_at=None, **changes)


async def freeze(small: Small) -> None:
    await small.tell(frozen_at=timezone.now(), frozen_why=WHY)


def test_a_cluster_that_is_being_moved_takes_reads_and_writes_as_always_until_it_is_frozen(small: Small) -> None:
    async def play(server: Server) -> None:
        assert (await small.ask(path=CONFIG_MAPS)).status == 200
        assert (await small.ask(path=CONFIG_MAPS, method="POST")).status == 200
        await freeze(small)
        assert (await small.ask(path=CONFIG_MAPS)).status == 200
        refused = await small.ask(path=CONFIG_MAPS, method="POST")
        assert (refused.status, refused.headers["retry-after"], refused.message) == (503, "1", WHY)
        assert json.loads(refused.body)["details"] == {"retryAfterSeconds": 1}
        assert [record.refused_for for record in small.records] == ["", "", "", "frozen"]
        await small.tell(frozen_at=None)
        assert (await small.ask(path=CONFIG_MAPS, method="POST")).status == 200

    small.answer = lambda server, stream_id, asked: server.answer(stream_id, 200, b"ok")
    played(small, play)


def test_a_watch_ends_whole_and_a_new_one_goes_to_where_the_cluster_is(small: Small) -> None:
    async def play(server: Server) -> None:
        line, stream_id = await begun(small, path=f"{CONFIG_MAPS}?watch=1")
        old = small.upstreams[0]
        old.h2.send_headers(stream_id, [(b":status", b"200"), (b"content-type", b"application/json")])
        old.h2.send_data(stream_id, EVENT)
        old.send()
        assert (await line.head())[0] == 200
        assert await line.chunk() == EVENT
        await switch(small)
        assert await line.chunk() == b"", "the end, as an API server ends it"
        line.say(small.head(path=f"{CONFIG_MAPS}?watch=1"))
        await until(lambda: len(small.upstreams) == 2 and open_at(small.upstreams[1]))
        await until(lambda: old.stream._writer.is_closing() or old.asked[stream_id].reset is not None)  # type: ignore[attr-defined]

    played(small, play)


def test_a_watch_that_ends_in_the_middle_of_an_event_does_not_look_ended(small: Small) -> None:
    async def play(server: Server) -> None:
        line, stream_id = await begun(small, path=f"{CONFIG_MAPS}?watch=1")
        old = small.upstreams[0]
        old.h2.send_headers(stream_id, [(b":status", b"200"), (b"content-type", b"application/json")])
        old.h2.send_data(stream_id, EVENT[:5])
        old.send()
        await line.head()
        assert await line.chunk() == EVENT[:5]
        await switch(small)
        assert await line.ended() == b""

    played(small, play)


def test_logs_break_off_and_a_list_that_is_being_read_is_read_to_its_end(small: Small) -> None:
    async def play(server: Server) -> None:
        log, log_id = await begun(small, path="/api/v1/namespaces/default/pods/a/log?follow=true")
        listed, list_id = await begun(small, path=CONFIG_MAPS)
        old = small.upstreams[0]
        for line, stream_id in ((log, log_id), (listed, list_id)):
            old.answer(stream_id, 200, b"one", end=False)
            await line.head()
            assert await line.chunk() == b"one"
        await switch(small)
        assert await log.ended() == b"", "no end of a log that goes on"
        old.h2.send_data(list_id, b"two", end_stream=True)
        old.send()
        assert [await listed.chunk(), await listed.chunk()] == [b"two", b""]

    played(small, play)


def test_what_was_asked_and_not_answered_is_asked_again_where_the_cluster_is(small: Small) -> None:
    async def play(server: Server) -> None:
        read, _ = await begun(small, path=f"{CONFIG_MAPS}/a")
        watch, _ = await begun(small, path=f"{CONFIG_MAPS}?watch=1&resourceVersion=850")
        await switch(small)
        await until(lambda: len(small.upstreams) == 2 and open_at(small.upstreams[1]))
        new = small.upstreams[1]
        await until(lambda: len(new.asked) >= 3)
        for stream_id in open_at(new):
            new.answer(stream_id, 200, b"new")
        assert (await read.answer()).body == b"new"
        event = json.loads((await watch.answer()).body)
        assert (event["type"], event["object"]["code"]) == ("ERROR", 410), "it came with a version of before"

    def answer(server: H2Server, stream_id: int, asked: Asked) -> None:
        if asked.headers[b":path"].endswith(b"limit=1"):
            server.answer(stream_id, 200, b'{"metadata":{"resourceVersion":"1005"}}')

    small.answer = answer
    played(small, play)


@pytest.mark.parametrize(("status", "told"), [(201, 500), (422, 503), (409, 503), (500, 500)])
def test_no_yes_comes_from_where_the_cluster_was_and_a_no_is_to_be_sent_again(
    small: Small, status: int, told: int
) -> None:
    async def play(server: Server) -> None:
        write, stream_id = await begun(small, path=CONFIG_MAPS, method="POST")
        await switch(small)
        small.upstreams[0].answer(stream_id, status, b"{}")
        answer = await write.answer()
        assert answer.status == told
        assert answer.headers.get("retry-after") == ("1" if told == 503 else None)

    played(small, play)


def test_a_refusal_of_the_policy_that_comes_before_the_news_is_the_freeze(small: Small) -> None:
    async def play(server: Server) -> None:
        write, stream_id = await begun(small, path=CONFIG_MAPS, method="POST")
        small.there = replace(small.there, frozen_at=timezone.now(), frozen_why=WHY)
        small.upstreams[0].answer(stream_id, 422, b"{}")
        answer = await write.answer()
        assert (answer.status, answer.message) == (503, WHY)
        await small.tell(frozen_at=None)
        write, stream_id = await begun(small, path=CONFIG_MAPS, method="POST")
        small.upstreams[0].answer(stream_id, 422, b"{}")
        assert (await write.answer()).status == 422, "its own"

    played(small, play)


def test_a_gateway_that_does_not_reach_the_database_says_yes_to_no_write_for_longer_than_a_second(small: Small) -> None:
    async def play(server: Server) -> None:
        write, stream_id = await begun(small, path=CONFIG_MAPS, method="POST")
        small.books.away = True
        await asyncio.sleep(GATEWAYS_KNOW_SECONDS)
        (where,) = small.doorman._places.values()
        await small.doorman.look_after([where])
        small.upstreams[0].answer(stream_id, 201, b"{}")
        assert (await write.answer()).status == 500
        refused = await small.ask(path=CONFIG_MAPS, method="POST")
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert "database" in refused.message
        read, stream_id = await begun(small, path=CONFIG_MAPS)
        small.upstreams[0].answer(stream_id, 200, b"ok")
        assert (await read.answer()).status == 200

    played(small, play)


def test_idle_connections_to_where_it_was_are_dropped_though_nobody_asks_for_the_cluster(small: Small) -> None:
    async def play(server: Server) -> None:
        assert (await small.ask()).status == 200
        upstreams = server._door._upstreams  # type: ignore[attr-defined]
        await switch(small)
        (retired,) = upstreams._retired
        await until(lambda: not retired.open_connections)
        assert len(small.upstreams) == 1, "nothing is dialled for nobody"

    small.answer = lambda server, stream_id, asked: server.answer(stream_id, 200, b"ok")
    played(small, play)
