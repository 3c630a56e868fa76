"""exec and its like: what ends them while nothing was switched yet."""

import asyncio

import pytest

from gateway.client import Client, ClientGone
from gateway.upgraded import upgraded
from tests.gateway.pipes import pipe

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
