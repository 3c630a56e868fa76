"""Listening: TLS, connections and their limits, and each connection's requests one after another."""

import asyncio
import ssl
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass

import structlog

from gateway import metrics
from gateway.answers import REASONS, Refused, status_answer
from gateway.client import STALLED_SECONDS, Client, ClientGone
from gateway.door import Door
from gateway.heads import BadRequest, Head
from gateway.health import Health
from provisioning.drivers.streams.byte_stream import ByteStream, TcpStream
from provisioning.drivers.streams.tls import TlsStream

log = structlog.get_logger(__name__)


QUIET_SECONDS = 1.0
"""So long a gateway that stops waits for requests that are on their way to it."""
_LEAVING = 64
"""Connections above the limit whose predecessors are just leaving."""


@dataclass(frozen=True)
class Patience:
    """Seconds that a client is given: for TLS and for a request's head, between requests, and to take what is sent.

    `stalled`: to take something of an upgraded stream (exec, port-forward).
    """

    handshake: float = 10.0
    head: float = 10.0
    idle: float = 120.0
    write: float = 60.0
    stalled: float = STALLED_SECONDS


class Server:
    """Serves one door. Of `newcomers`, who have not sent a request that was let in, there are so many at most:

    the oldest of them leaves for the next one, so that half-open connections never keep others out.
    """

    def __init__(
        self,
        door: Door,
        health: Health,
        *,
        tls: ssl.SSLContext | None,
        connections: int,
        newcomers: int,
        patience: Patience | None = None,
    ) -> None:
        self._door = door
        self._health = health
        self._tls = tls
        self._connections = connections
        self._newcomers_limit = newcomers
        self._patience = patience or Patience()
        self._newcomers: OrderedDict[TcpStream, None] = OrderedDict()
        self._clients: set[Client] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._stopping = False

    async def start(self, host: str, port: int) -> int:
        """Listens; the port, which the system chooses where 0 is given."""
        self._server = await asyncio.start_server(self._accept, host, port, limit=64 * 1024, backlog=1024)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self, *, grace: float) -> None:
        """Takes no new connection; what is under way has `grace` seconds to end.

        Who has a connection already is told with the next answer that it is the last one, so nothing is lost that was
        sent while this began.
        """
        self._stopping = True
        if self._server is not None:
            self._server.close()
        for client in self._clients:
            client.leave(QUIET_SECONDS)
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=min(grace, 2 * QUIET_SECONDS))
            for stream in list(self._newcomers):
                stream.abort()
            if left:
                await asyncio.wait(left, timeout=max(0.0, grace - 2 * QUIET_SECONDS))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def open(self) -> int:
        return len(self._tasks)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = TcpStream(reader, writer)
        stream.keep_alive()
        if self._stopping or (len(self._tasks) >= self._connections and not self._idle_one_leaves()):
            stream.abort()
            metrics.REFUSED.labels("connections").inc()
            return
        self._newcomers[stream] = None
        if len(self._newcomers) > self._newcomers_limit:
            oldest, _ = self._newcomers.popitem(last=False)
            oldest.abort()
            metrics.REFUSED.labels("newcomers").inc()
        task = asyncio.create_task(self._serve(stream))
        self._tasks.add(task)
        metrics.CONNECTIONS.set(len(self._tasks))
        task.add_done_callback(self._left)

    def _idle_one_leaves(self) -> bool:
        """Ends the connection that has been idle longest: who keeps thousands for later keeps nobody else out."""
        idle = [(client.idle_since, number) for number, client in enumerate(self._clients) if client.idle_since]
        if not idle or len(self._tasks) > self._connections + _LEAVING:
            return False
        _, number = min(idle)
        list(self._clients)[number].leave_if_idle()
        metrics.REFUSED.labels("idle").inc()
        return True

    def _left(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        metrics.CONNECTIONS.set(len(self._tasks))
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a connection ended by an error of ours", exc_info=error)

    async def _serve(self, tcp: TcpStream) -> None:
        try:
            with suppress(OSError, TimeoutError, ClientGone):
                stream = await self._secured(tcp)
                await self._requests(stream, tcp)
        finally:
            self._newcomers.pop(tcp, None)
            tcp.close()

    async def _secured(self, tcp: TcpStream) -> ByteStream:
        if self._tls is None:
            return tcp
        stream = TlsStream(tcp, self._tls, server_side=True)
        async with asyncio.timeout(self._patience.handshake):
            await stream.handshake()
        return stream

    async def _requests(self, stream: ByteStream, tcp: TcpStream) -> None:
        patience = self._patience
        client = Client(
            stream,
            head_seconds=patience.head,
            idle_seconds=patience.idle,
            write_seconds=patience.write,
            stalled_seconds=patience.stalled,
        )
        self._clients.add(client)
        if self._stopping:
            client.leave(QUIET_SECONDS)
        try:
            while (head := await self._head(client)) is not None:
                await self._answer(client, head, tcp)
                if client.switched:
                    return
                if not await client.ready_for_next():
                    await client.linger()
                    return
        finally:
            self._clients.discard(client)
            client.close()

    async def _head(self, client: Client) -> Head | None:
        try:
            return await client.next_head()
        except BadRequest as error:
            refused = Refused(error.status, error.message, why="bad-request")
            metrics.REFUSED.labels("bad-request").inc()
            await client.answer_unread(status_answer(refused), _status_line(error.status))
        except TimeoutError:
            refused = Refused(408, "The request's head did not come in time.", why="slow")
            await client.answer_unread(status_answer(refused), _status_line(408))
        return None

    async def _answer(self, client: Client, head: Head, tcp: TcpStream) -> None:
        try:
            if (answer := self._health.answer(head)) is not None:
                await client.answer(answer)
                return
            await self._door.serve(client, head, tcp.peer, let_in=lambda: self._newcomers.pop(tcp, None))
        except BadRequest as error:
            await self._refuse(client, Refused(error.status, error.message, why="bad-request", close=True))
        except Refused as refused:
            await self._refuse(client, refused)
        except (OSError, TimeoutError):
            raise
        except Exception:
            log.exception("a request met an error of ours", path=head.path.decode("latin-1")[:200])
            await self._refuse(client, Refused(500, "The gateway failed at this; its log says why.", why="ours"))

    async def _refuse(self, client: Client, refused: Refused) -> None:
        metrics.REFUSED.labels(refused.why).inc()
        if client.answer_begun:
            raise ClientGone("The answer has begun already.")
        await client.answer(status_answer(refused))


def _status_line(status: int) -> bytes:
    return f"HTTP/1.1 {status} {REASONS.get(status, 'Refused')}".encode()
