"""A whole gateway in this process: its server, its door, and behind it an API server that a test makes answer."""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

from django.db import OperationalError

from clusters.connection import HostConnection
from gateway.database import Database
from gateway.door import Door
from gateway.doorman import Doorman, Questions
from gateway.health import Health
from gateway.limits import Limits
from gateway.names import Names
from gateway.records import Record
from gateway.revisions import Revisions
from gateway.server import Patience, Server
from gateway.targets import Target
from gateway.upstreams import Upstreams
from gateway.waking import WakeRules
from provisioning.drivers.road import Road
from provisioning.drivers.route import Timeouts, route_to
from provisioning.drivers.streams.byte_stream import TcpStream
from tests.gateway.callers import Books, caller, target
from tests.gateway.h2_server import Asked, H2Server
from tests.provisioning.drivers.fault_servers import HERE, certificate_pem

TOKEN = "mar_ab12cd34_secret"
BINDINGS = b"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/"
ANY_NAME = Names(frozenset(), "")
Answering = Callable[[H2Server, int, Asked], None]


@dataclass
class Small:
    """What a test uses of it. `answer` is what the API server does with a request that has arrived whole."""

    folder: Path
    patience: Patience = field(default_factory=Patience)
    connections: int = 100
    newcomers: int = 100
    answer: Answering = lambda server, stream_id, asked: server.answer(stream_id, 200, b"ok")
    takes: bool = True
    phase: Target | None = None
    names: Names = ANY_NAME
    published: bool = True
    """Whether the API server listens at all."""
    port: int = 0
    upstreams: list[H2Server] = field(default_factory=list)
    woken: int = 0
    records: list[Record] = field(default_factory=list)
    bindings: list[tuple[bytes, bytes]] = field(default_factory=list)
    doorman: Doorman = field(init=False)
    readiness: list[int] = field(default_factory=list)
    """What the API server says of itself, one after the other; ready when that is over."""

    def __post_init__(self) -> None:
        self.caller = caller()
        self.there = target(self.caller.cluster_id)
        self.books = Books({TOKEN: self.caller})

    def head(self, *lines: str, path: str = "/version", method: str = "GET", token: str = TOKEN) -> bytes:
        first = f"{method} /v1/clusters/{self.caller.cluster_id}{path} HTTP/1.1"
        return "\r\n".join([first, "Host: gate", f"Authorization: Bearer {token}", *lines, "", ""]).encode()

    async def connect(self) -> "Line":
        return Line(*await asyncio.open_connection(HERE, self.port))

    async def ask(self, *lines: str, **how: str) -> "Answer":
        """One request on a connection of its own."""
        line = await self.connect()
        line.say(self.head(*lines, **how))
        answer = await line.answer(method=how.get("method", "GET"))
        line.close()
        return answer

    def where(self, cluster_ids: Sequence[UUID]) -> dict[UUID, Target]:
        """What the database says of these clusters."""
        if self.books.away:
            raise OperationalError("the server closed the connection")
        return dict.fromkeys(cluster_ids, self.there)

    async def tell(self, **changes: object) -> None:
        """The database says this of the cluster from now on, and the gateway has asked."""
        self.there = replace(self.there, **changes)  # type: ignore[arg-type]
        await self.doorman.look_after(list(self.doorman._places.values()))

    def _when_asked(self, server: H2Server, stream_id: int, asked: Asked) -> None:
        path = asked.headers[b":path"]
        if path == b"/readyz" and b"impersonate-user" not in asked.headers:
            server.answer(stream_id, self.readiness.pop(0) if self.readiness else 200, b"")
        elif path.startswith(BINDINGS) and b"impersonate-user" not in asked.headers:
            self.bindings.append((asked.headers[b":method"], path))
            server.answer(stream_id, 200, b"{}")
        else:
            self.answer(server, stream_id, asked)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = H2Server(TcpStream(reader, writer), takes=self.takes, when_asked=self._when_asked)
        self.upstreams.append(server)
        with suppress(OSError):
            await server.run()
        writer.close()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> str:
        return str(json.loads(self.body)["message"])


class Line:
    """A client's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> tuple[int, dict[str, str]]:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = (line.partition(": ") for line in lines[1:] if line)
        return int(lines[0].split(" ")[1]), {name.lower(): value for name, _, value in fields}

    async def answer(self, *, method: str = "GET") -> Answer:
        """The next one, framed as it says."""
        status, headers = await self.head()
        if method == "HEAD" or status in (204, 304) or status < 200:
            return Answer(status, headers, b"")
        if "content-length" in headers:
            return Answer(status, headers, await self.reader.readexactly(int(headers["content-length"])))
        body = b""
        while part := await self.chunk():
            body += part
        return Answer(status, headers, body)

    async def chunk(self) -> bytes:
        size = int(await self.reader.readline(), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def ended(self) -> bytes:
        """What still comes before the end; a reset is an end too."""
        with suppress(ConnectionResetError):
            return await self.reader.read()
        return b""

    def close(self) -> None:
        self.writer.close()


@asynccontextmanager
async def _opened(small: Small) -> AsyncIterator[Server]:
    certificate, key = certificate_pem(HERE)
    pem = small.folder / "api.pem"
    pem.write_text(certificate + key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    tls.set_alpn_protocols(["h2"])
    api = await asyncio.start_server(small._serve, HERE, 0, ssl=tls)
    endpoint = f"https://{HERE}:{api.sockets[0].getsockname()[1]}"
    if not small.published:
        api.close()
    connection = HostConnection(server=endpoint, ca_pem=certificate, token="t", tls_server_name=HERE)
    nowhere = route_to(replace(connection, server=f"https://{HERE}:1"), target="east", timeouts=Timeouts(2, 2))
    road = Road(host=nowhere, namespace="n", pod="p", connection=connection, name="web")
    small.there = replace(small.phase or target(small.caller.cluster_id), endpoint=endpoint)
    database = Database(threads=2)
    upstreams = Upstreams(lambda _: road)
    asking = small.books.questions
    door = Door(
        names=small.names,
        doorman=Doorman(
            database,
            Questions(asking.caller_of, asking.callers_still, small.where),
            moved=upstreams.moved,
        ),
        upstreams=upstreams,
        limits=Limits(rate=1000, streams=100),
        rules=WakeRules(re.compile("^kubectl"), re.compile("k9s")),
        wake=lambda _: setattr(small, "woken", small.woken + 1),
        book=small.records.append,
        revisions=Revisions(3600),
    )
    server = Server(
        door,
        Health(lambda: "", small.names),
        tls=None,
        connections=small.connections,
        newcomers=small.newcomers,
        patience=small.patience,
    )
    small.port = await server.start(HERE, 0)
    small.doorman = door._doorman
    try:
        yield server
    finally:
        await server.stop(grace=0)
        await upstreams.close()
        database.close()
        api.close()


def played(small: Small, play: Callable[[Server], Awaitable[None]]) -> None:
    """Runs `play` while the gateway is open."""

    async def all_of_it() -> None:
        async with asyncio.timeout(30), _opened(small) as server:
            await play(server)

    asyncio.run(all_of_it())
