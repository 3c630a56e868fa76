"""exec, attach and port-forward inside: the connection changes its protocol, and from then on only bytes pass.

Each has an upstream connection of its own: on real nodes one broken exec ends every stream of a shared forward (facts).
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Final

import h11

from gateway.answers import Refused
from gateway.client import Client, ClientGone
from gateway.exchange import Headers
from gateway.heads import Head
from gateway.upstream import AUTHORITY
from provisioning.drivers.streams.byte_stream import ByteStream

Answered = h11.Response | h11.InformationalResponse
_PROTOCOLS: Final = (b"websocket", b"spdy/3.1")
_BEARER: Final = b"base64url.bearer.authorization.k8s.io."
_DROPPED: Final = frozenset((b"set-cookie", b"alt-svc"))


async def upgraded(
    client: Client, head: Head, headers: Headers, upstream: ByteStream, note: Callable[[int], None]
) -> int:
    """Carries the request to its end. `note` is told 101 when the stream begins; else returns the answer's status."""
    try:
        return await _carried(client, head, headers, upstream, note)
    finally:
        upstream.close()


async def _carried(
    client: Client, head: Head, headers: Headers, upstream: ByteStream, note: Callable[[int], None]
) -> int:
    if head.upgrade.lower() not in _PROTOCOLS:
        shown = head.upgrade.decode("latin-1")[:40]
        raise Refused(400, f"Kubernetes knows no protocol {shown} to change to.", why="upgrade", close=True)
    if head.has_body:
        raise Refused(400, "A request that changes the protocol has no body.", why="upgrade", close=True)
    talk = h11.Connection(h11.CLIENT)
    request = h11.Request(
        method=head.method,
        target=head.target,
        headers=[
            (b"host", AUTHORITY.encode()),
            (b"connection", b"Upgrade"),
            (b"upgrade", head.upgrade),
            *_without_tokens(headers),
            *([(b"content-length", b"0")] if head.method != b"GET" else []),
        ],
    )
    upstream.write((talk.send(request) or b"") + (talk.send(h11.EndOfMessage()) or b""))
    await upstream.drain()
    answer = await _while_there(client, _answer(talk, upstream))
    fields = [field for field in answer.headers if field[0] not in _DROPPED]
    if answer.status_code != 101:
        await _refused(client, talk, upstream, answer, fields)
        return answer.status_code
    note(101)
    both = await client.switch(fields)
    both.write(talk.trailing_data[0])
    await _Carriage(both, upstream, client.stalled_seconds).carry()
    return 0


def _without_tokens(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Browsers' clients put a token into the list of WebSocket protocols: what is said there is not passed on."""
    kept: list[tuple[bytes, bytes]] = []
    for name, value in headers:
        if name == b"sec-websocket-protocol":
            words = [word.strip() for word in value.split(b",")]
            value = b", ".join(word for word in words if not word.startswith(_BEARER))
        kept.append((name, value))
    return kept


async def _while_there(client: Client, answer: Coroutine[None, None, Answered]) -> Answered:
    """The answer, as long as somebody waits for it: an API server may take for ever."""
    waiting, gone = asyncio.create_task(answer), asyncio.create_task(client.gone())
    try:
        await asyncio.wait((waiting, gone), return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result()
        raise ClientGone("The client ended the connection.")
    finally:
        for task in (waiting, gone):
            task.cancel()
        await asyncio.gather(waiting, gone, return_exceptions=True)


async def _answer(talk: h11.Connection, upstream: ByteStream) -> h11.Response | h11.InformationalResponse:
    while True:
        event = talk.next_event()
        if event is h11.NEED_DATA:
            talk.receive_data(await upstream.read())
        elif isinstance(event, h11.InformationalResponse) and event.status_code != 101:
            continue
        elif isinstance(event, h11.Response | h11.InformationalResponse):
            return event
        else:
            raise ConnectionResetError("The API server ended the connection before it answered.")


async def _refused(
    client: Client,
    talk: h11.Connection,
    upstream: ByteStream,
    answer: h11.Response | h11.InformationalResponse,
    fields: Headers,
) -> None:
    """No switch: an ordinary answer, such as a Status."""
    await client.answer_head(answer.status_code, [field for field in fields if field[0] != b"connection"])
    while True:
        event = talk.next_event()
        if event is h11.NEED_DATA:
            talk.receive_data(await upstream.read())
        elif isinstance(event, h11.Data):
            await client.answer_data(bytes(event.data))
        else:
            break
    await client.answer_end()


class _Carriage:
    """Both directions of a switched stream."""

    def __init__(self, client: ByteStream, upstream: ByteStream, stalled_seconds: float) -> None:
        self._client = client
        self._upstream = upstream
        self._stalled_seconds = stalled_seconds
        self._answered = time.monotonic()

    async def carry(self) -> None:
        """Until either side ends, and then both: a port-forward's WebSocket cannot be closed by halves."""
        directions = [asyncio.create_task(self._up()), asyncio.create_task(self._down())]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in directions:
                task.cancel()
            await asyncio.gather(*directions, return_exceptions=True)

    async def _down(self) -> None:
        with suppress(OSError):
            while data := await self._upstream.read():
                self._answered = time.monotonic()
                self._client.write(data)
                await self._client.drain()

    async def _up(self) -> None:
        with suppress(OSError):
            while data := await self._client.read():
                self._upstream.write(data)
                while not await self._taken():
                    if time.monotonic() - self._answered > self._stalled_seconds:
                        return  # whether the client is still there would not be noticed either

    async def _taken(self) -> bool:
        """A program that never reads its input may work all the same: while it says something it is not given up."""
        try:
            async with asyncio.timeout(self._stalled_seconds):
                await self._upstream.drain()
        except TimeoutError:
            return False
        return True
