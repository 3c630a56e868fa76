"""By which way a virtual API is reached: its published address while that answers, else a port-forward."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from clusters.connection import HostConnection
from gateway import dialling
from gateway.exchange import Exchange
from gateway.unreachable import Unreachable
from gateway.upstream import Upstream
from provisioning.drivers.errors import CERTIFICATE_HINT
from provisioning.drivers.road import Road
from provisioning.drivers.streams.byte_stream import TcpStream
from provisioning.engine.errors import PermanentError, StepError, TemporaryError
from tests.gateway.h2_server import Asked, H2Server
from tests.gateway.port_forward_server import ForwardServer, forwarding, run
from tests.provisioning.drivers.fault_servers import HERE, certificate_pem


@dataclass
class Published:
    """The address that is published: open or not."""

    tls: ssl.SSLContext
    port: int = 0
    silent: bool = False
    server: asyncio.Server | None = None
    connections: list[H2Server] = field(default_factory=list)

    async def open(self) -> None:
        self.server = await asyncio.start_server(self._serve, HERE, self.port, ssl=None if self.silent else self.tls)
        self.port = self.server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        assert self.server
        self.server.close()
        for each in self.connections:
            each.stream.close()
        self.connections.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.silent:
            await reader.read()
        else:
            await _serve(reader, writer, self.connections, b"published")


async def _serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, found: list[H2Server], name: bytes
) -> None:
    def answer(server: H2Server, stream_id: int, asked: Asked) -> None:
        watched = asked.headers[b":path"] == b"/watch"
        server.answer(stream_id, 200, name, end=not watched)

    found.append(H2Server(TcpStream(reader, writer), when_asked=answer))
    with suppress(OSError):
        await found[-1].run()
    writer.close()


@dataclass
class Place:
    upstream: Upstream
    published: Published
    host: ForwardServer


Play = Callable[[Place], Awaitable[None]]


def played(folder: Path, play: Play, *, silent: bool = False) -> None:
    async def all_of_it() -> None:
        async with _place(folder, silent=silent) as place:
            await play(place)

    run(all_of_it)


@asynccontextmanager
async def _place(folder: Path, *, silent: bool) -> AsyncIterator[Place]:
    certificate, key = certificate_pem(HERE)
    pem = folder / "api.pem"
    pem.write_text(certificate + key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    tls.set_alpn_protocols(["h2"])
    forwarded: list[H2Server] = []
    pod = await asyncio.start_server(lambda r, w: _serve(r, w, forwarded, b"forwarded"), HERE, 0, ssl=tls)
    published = Published(tls, silent=silent)
    await published.open()
    async with forwarding(folder, onto=pod.sockets[0].getsockname()[1]) as host:
        inside = HostConnection(server="https://localhost:8443", ca_pem=certificate, token="t", tls_server_name=HERE)
        road = Road(host=host.route, namespace="n", pod="p", connection=inside, name="web")

        async def find() -> Road:
            return road

        made = Upstream(find, endpoint=f"https://{HERE}:{published.port}", name="acme/shop/web")
        try:
            yield Place(made, published, host)
        finally:
            await made.close()
            await published.shut()
            pod.close()


async def way_of(place: Place, path: bytes = b"/version") -> bytes:
    exchange = await _sent(place, path)
    await exchange.head()
    answer = await exchange.read()
    exchange.cancel()
    return answer


async def _sent(place: Place, path: bytes) -> Exchange:
    for _ in range(3):
        try:
            exchange = await place.upstream.request(b"GET", path, [], has_body=False)
            await exchange.head()
        except ConnectionError:
            continue
        return exchange
    raise AssertionError("no connection holds")


def test_a_published_address_is_taken_while_it_answers(tmp_path: Path) -> None:
    async def play(place: Place) -> None:
        assert await way_of(place) == b"published"
        assert place.host.channels == [], "the host is not asked for a port-forward"

    played(tmp_path, play)


@pytest.mark.parametrize("silent", [False, True])
def test_one_that_does_not_answer_is_gone_around_and_taken_again_when_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    monkeypatch.setattr(dialling, "ENDPOINT_AGAIN_SECONDS", 0.3)
    monkeypatch.setattr(dialling, "ENDPOINT_CONNECT_SECONDS", 0.5)

    async def play(place: Place) -> None:
        if not silent:
            await place.published.shut()
        assert await way_of(place) == b"forwarded"
        watch = await _sent(place, b"/watch")
        assert await watch.read() == b"forwarded"
        if silent:
            await place.published.shut()
        place.published.silent = False
        await place.published.open()
        while await way_of(place) != b"published":
            place.upstream.tend()
            await asyncio.sleep(0.02)
        assert watch.failed is None, "what is under way there may end there"
        watch.cancel()

    played(tmp_path, play, silent=silent)


def test_while_it_does_not_answer_it_is_tried_once_in_a_while_and_holds_up_nobody(tmp_path: Path) -> None:
    async def play(place: Place) -> None:
        await place.published.shut()
        with capture_logs() as lines:
            for _ in range(3):
                assert await way_of(place) == b"forwarded"
                place.upstream.tend()
                for connection in list(place.upstream._connections):
                    connection.retire()
        tried = [line for line in lines if line["event"] == "published endpoint does not answer"]
        assert len(tried) == 1
        assert len(place.host.channels) == 3

    played(tmp_path, play)


def test_an_address_that_breaks_under_what_is_open_is_gone_around(tmp_path: Path) -> None:
    async def play(place: Place) -> None:
        assert await way_of(place) == b"published"
        await place.published.shut()
        assert await way_of(place) == b"forwarded"

    played(tmp_path, play)


INTERNALS = "host east-7 at 10.9.8.7:6443"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TemporaryError(f"{INTERNALS} cannot be reached.", code="unreachable"), "does not answer"),
        (TemporaryError(f"{INTERNALS} did not answer in time.", code="timeout"), "does not answer"),
        (PermanentError(f"{INTERNALS} is not trusted.", code="certificate", hint=CERTIFICATE_HINT), "cannot get in"),
        (PermanentError(f'{INTERNALS} answered: User "sa:marina" cannot', code="forbidden"), "cannot get in"),
        (PermanentError(f"Marina holds no credential for {INTERNALS}.", code="unauthorized"), "cannot get in"),
        (TemporaryError(f"The pod vc-1/vc-web-0 of {INTERNALS} is not ready.", code="not-ready"), "is not up"),
        (TemporaryError(f"{INTERNALS} says something new.", code="something-new"), "does not answer"),
        (ConnectionRefusedError(f"[Errno 111] Connect call failed {INTERNALS}"), "cannot be reached"),
    ],
)
def test_tenants_are_told_nothing_of_the_host_and_who_runs_it_finds_all_in_the_log(
    error: StepError | OSError, told: str
) -> None:
    async def find() -> Road:
        raise error

    async def ask() -> None:
        upstream_of = Upstream(find, endpoint="", name="acme/shop/web", host="east-7")
        for way in (upstream_of.request(b"GET", b"/", [], has_body=False), upstream_of.stream()):
            with pytest.raises(Unreachable) as caught:
                await way
            assert told in caught.value.message
            for word in ("east-7", "10.9.8.7", "vc-web-0", "sa:marina", "Errno"):
                assert word not in caught.value.message

    with capture_logs() as lines:
        run(ask)
    (line,) = [each for each in lines if each["event"] == "a virtual API cannot be reached"]
    assert (line["cluster"], line["host"], line["log_level"]) == ("acme/shop/web", "east-7", "warning")
    assert INTERNALS in line["error"]
    assert line["hint"] == getattr(error, "hint", "")
