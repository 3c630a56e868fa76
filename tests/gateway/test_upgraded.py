"""exec and its like: what ends them while nothing was switched yet."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import uuid4

import pytest

from gateway.client import Client, ClientGone
from gateway.upgraded import upgraded
from gateway.whereabouts import Look, Whereabouts
from tests.gateway.callers import target
from tests.gateway.pipes import End, pipe

HEAD = b"GET /v1/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def test_who_leaves_before_the_api_server_answers_leaves_no_connection_behind() -> None:
    async def all_of_it() -> None:
        ours, theirs = pipe()
        upstream, server = pipe()
        client = Client(ours, head_seconds=5, idle_seconds=5, write_seconds=5)
        theirs.write(HEAD)
        head = await client.next_head()
        assert head is not None
        carried = asyncio.create_task(upgraded(client, head, [], upstream, lambda status: None))
        assert (await server.read()).startswith(b"GET /v1/x")
        theirs.close()
        async with asyncio.timeout(5):
            with pytest.raises(ClientGone):
                await carried
        assert upstream.closed
        client.close()

    asyncio.run(all_of_it())


def test_what_the_client_says_early_is_carried_after_the_switch() -> None:
    async def all_of_it() -> None:
        ours, theirs = pipe()
        upstream, server = pipe()
        client = Client(ours, head_seconds=5, idle_seconds=5, write_seconds=5)
        theirs.write(HEAD + b"early")
        head = await client.next_head()
        assert head is not None
        carried = asyncio.create_task(upgraded(client, head, [], upstream, lambda status: None))
        await server.read()
        theirs.write(b" bird")
        await asyncio.sleep(0)
        server.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
        said = b""
        async with asyncio.timeout(5):
            while len(said) < 10:
                said += await server.read()
        assert said == b"early bird"
        server.close()
        async with asyncio.timeout(5):
            await carried
        client.close()

    asyncio.run(all_of_it())


@pytest.mark.parametrize("who", ["client", "pod"])
def test_who_reads_nothing_keeps_neither_a_stream_nor_memory(who: str) -> None:
    async def all_of_it() -> None:
        async with _switched(stalled_seconds=0.2) as both:
            sink, source = (both.client, both.pod) if who == "client" else (both.pod, both.client)
            while not both.carried.done():
                source.write(b"x" * 10_000)
                await asyncio.sleep(0)
                assert sink.waiting < 200_000
                if source.other.waiting > 200_000:  # as TCP would hold up who sends
                    break
            async with asyncio.timeout(5):
                await both.carried
            assert both.upstream.closed

    asyncio.run(all_of_it())


def test_a_program_that_reads_nothing_and_still_says_something_goes_on() -> None:
    async def all_of_it() -> None:
        async with _switched(stalled_seconds=1.0) as both:
            both.client.write(b"x" * 100_000)
            both.client.write(b"x" * 100_000)
            began = time.monotonic()
            while time.monotonic() - began < 2.5:
                await asyncio.sleep(0.02)
                both.pod.write(b"still here")
                assert await both.client.read() == b"still here"
            assert not both.carried.done()

    asyncio.run(all_of_it())


@dataclass
class _Switched:
    """An exec's stream: what its client and its pod have in their hands."""

    client: End
    pod: End
    upstream: End
    carried: "asyncio.Task[int]"


@asynccontextmanager
async def _switched(*, stalled_seconds: float) -> AsyncIterator[_Switched]:
    ours, theirs = pipe()
    upstream, pod = pipe()
    client = Client(ours, head_seconds=5, idle_seconds=5, write_seconds=5, stalled_seconds=stalled_seconds)
    theirs.write(HEAD)
    head = await client.next_head()
    assert head is not None
    carried = asyncio.create_task(upgraded(client, head, [], upstream, lambda status: None))
    await pod.read()
    pod.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert b"101" in await theirs.read()
    try:
        yield _Switched(theirs, pod, upstream, carried)
    finally:
        carried.cancel()
        client.close()


def test_a_stream_to_where_a_cluster_was_ends_for_its_client_and_its_pod() -> None:
    async def all_of_it() -> None:
        where, before = Whereabouts(uuid4()), target(uuid4())
        where.told(Look({where.cluster_id: before}, 1.0, 1.0))
        async with _switched(stalled_seconds=60) as both:
            with where.leaving(before.placement, both.upstream.close):
                both.pod.write(b"hello")
                assert await both.client.read() == b"hello"
                where.told(Look({where.cluster_id: replace(before, key=(uuid4(), 1))}, 2.0, 2.0))
                async with asyncio.timeout(5):
                    await both.carried
            assert both.upstream.closed

    asyncio.run(all_of_it())
