"""What the gateway dials with: TLS over any stream, and port-forwards over WebSockets, also through a proxy."""

import asyncio
import os
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from provisioning.drivers.route import Route, Timeouts
from provisioning.drivers.streams.byte_stream import ByteStream
from provisioning.drivers.streams.dial import dial
from provisioning.drivers.streams.forward import ForwardStream, forward
from provisioning.drivers.streams.tls import TlsStream
from provisioning.engine.errors import StepError
from tests.gateway.pipes import End, pipe
from tests.gateway.port_forward_server import PORT, Channel, forwarding, greeted, proxying, run
from tests.provisioning.drivers.fault_servers import HERE, certificate_pem

MEBIBYTE = 1024 * 1024


async def whole(stream: ByteStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = await stream.read()
        assert part, f"it ended after {len(data)} bytes"
        data += part
    return data


# --- TLS


def contexts(folder: Path, *, trusted: str = "") -> tuple[ssl.SSLContext, ssl.SSLContext]:
    certificate, key = certificate_pem(HERE)
    pem = folder / "tls.pem"
    pem.write_text(certificate + key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    server.set_alpn_protocols(["h2"])
    client = ssl.create_default_context(cadata=trusted or certificate)
    client.set_alpn_protocols(["h2", "http/1.1"])
    return client, server


async def shaken(folder: Path, *, name: str = HERE, trusted: str = "") -> tuple[TlsStream, TlsStream, End]:
    ours, theirs = pipe()
    to_server, as_server = contexts(folder, trusted=trusted)
    client = TlsStream(ours, to_server, server_hostname=name)
    server = TlsStream(theirs, as_server, server_side=True)
    answering = asyncio.create_task(server.handshake())
    try:
        await client.handshake()
        await answering
    except BaseException:
        await asyncio.gather(answering, return_exceptions=True)
        raise
    return client, server, theirs


def test_tls_carries_much_in_both_directions_and_agrees_on_a_protocol(tmp_path: Path) -> None:
    async def work() -> None:
        client, server, _ = await shaken(tmp_path)
        assert client.protocol == "h2"
        there, back = os.urandom(2 * MEBIBYTE), os.urandom(MEBIBYTE)

        async def send(stream: TlsStream, data: bytes) -> None:
            for start in range(0, len(data), 100_000):
                stream.write(data[start : start + 100_000])
                await stream.drain()

        _, _, *received = await asyncio.gather(
            send(client, there), send(server, back), whole(server, len(there)), whole(client, len(back))
        )
        assert received == [there, back]

    run(work)


def test_a_goodbye_ends_the_stream_and_so_does_an_end_without_one(tmp_path: Path) -> None:
    async def work() -> None:
        client, server, _ = await shaken(tmp_path)
        server.write(b"last")
        server.close()
        assert await client.read() == b"last"
        assert await client.read() == b""
        client, _, below = await shaken(tmp_path)
        below.close()
        assert await client.read() == b""

    run(work)


def test_a_server_of_another_name_or_authority_is_not_spoken_to(tmp_path: Path) -> None:
    async def work() -> None:
        with pytest.raises(ssl.SSLCertVerificationError):
            await shaken(tmp_path, name="127.0.0.9")
        with pytest.raises(ssl.SSLCertVerificationError):
            await shaken(tmp_path, trusted=certificate_pem("127.0.0.2")[0])

    run(work)


def test_what_is_no_tls_and_what_goes_away_in_the_handshake_are_errors_of_the_connection(tmp_path: Path) -> None:
    async def work() -> None:
        for said in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b""):
            ours, theirs = pipe()
            client = TlsStream(ours, contexts(tmp_path)[0], server_hostname=HERE)
            if said:
                theirs.write(said)
            theirs.close()
            with pytest.raises(OSError, match=r".+"):
                await client.handshake()

    run(work)


# --- port-forwards


async def opened(route: Route) -> ForwardStream:
    return await forward(route, namespace="n", pod="vc-0", port=8443)


def test_a_port_forward_carries_bytes_and_its_first_frames_are_none_of_them(tmp_path: Path) -> None:
    async def work() -> None:
        async with forwarding(tmp_path) as server:
            stream = await opened(server.route)
            (channel,) = server.channels
            assert channel.request
            assert channel.request.path == "/api/v1/namespaces/n/pods/vc-0/portforward?ports=8443"
            assert channel.request.headers["Authorization"] == "Bearer the-hosts-token"
            sent = os.urandom(300_000)
            stream.write(sent)
            await stream.drain()
            while len(channel.received) < len(sent):
                await asyncio.sleep(0)
            assert bytes(channel.received) == sent
            back = os.urandom(200_000)
            for start in range(0, len(back), 50_000):
                channel.send(0, back[start : start + 50_000])
            assert await whole(stream, len(back)) == back
            stream.close()
            while channel.closed_with is None:
                await asyncio.sleep(0)
            assert channel.closed_with == 1000
            stream.close()

    run(work)


def test_what_comes_together_with_the_answer_that_opens_it_is_not_lost(tmp_path: Path) -> None:
    def greet(channel: Channel) -> None:
        greeted(channel)
        channel.send(0, b"early")

    async def work() -> None:
        async with forwarding(tmp_path, greet=greet) as server:
            assert await (await opened(server.route)).read() == b"early"

    run(work)


def test_messages_in_pieces_are_put_together_and_pings_are_answered(tmp_path: Path) -> None:
    def greet(channel: Channel) -> None:
        greeted(channel)
        channel.protocol.send_binary(b"\0abc", fin=False)
        channel.protocol.send_ping(b"there?")
        channel.protocol.send_continuation(b"def", fin=True)
        channel.send(0, b"")
        channel.send(0, b"ghi")

    async def work() -> None:
        async with forwarding(tmp_path, greet=greet) as server:
            stream = await opened(server.route)
            assert await whole(stream, 9) == b"abcdefghi"
            while not server.channels[0].pongs:
                await asyncio.sleep(0)

    run(work)


def test_what_is_said_on_the_error_channel_is_why_it_ended(tmp_path: Path) -> None:
    def greet(channel: Channel) -> None:
        greeted(channel)
        channel.send(1, b"dial tcp4 127.0.0.1:8443: connect: connection refused")

    async def work() -> None:
        async with forwarding(tmp_path, greet=greet) as server:
            stream = await opened(server.route)
            with pytest.raises(ConnectionResetError, match=r"pod n/vc-0, port 8443 ended: dial tcp4.*refused"):
                await stream.read()

    run(work)


async def written_on(stream: ForwardStream) -> None:
    """Writes as somebody does who has not heard of the end yet."""
    for _ in range(100):
        stream.write(b"x" * 1000)
        await stream.drain()
        await asyncio.sleep(0)


def test_an_end_with_and_without_a_goodbye_is_the_end(tmp_path: Path) -> None:
    def with_goodbye(channel: Channel) -> None:
        greeted(channel)
        channel.protocol.send_close(1000)
        channel.flush()

    def without(channel: Channel) -> None:
        channel.send(0, PORT)
        channel.writer.transport.abort()

    async def work() -> None:
        for greet in (with_goodbye, without):
            async with forwarding(tmp_path, greet=greet) as server:
                stream = await opened(server.route)
                try:
                    assert await stream.read() == b""
                except ConnectionError:
                    assert greet is without
                with pytest.raises(OSError, match=r".*"):
                    await written_on(stream)

    run(work)


@pytest.mark.parametrize(("status", "code"), [(401, "unauthorized"), (403, "forbidden"), (404, "not-found")])
def test_a_port_forward_that_is_refused_says_why_as_every_call_to_a_host(
    tmp_path: Path, status: int, code: str
) -> None:
    async def work() -> None:
        async with forwarding(tmp_path, refuse=status) as server:
            with pytest.raises(StepError) as caught:
                await opened(server.route)
            assert caught.value.code == code
            assert "the-hosts-token" not in str(caught.value)

    run(work)


# --- proxies


def test_a_port_forward_goes_through_a_proxy_with_its_password(tmp_path: Path) -> None:
    async def work() -> None:
        async with forwarding(tmp_path) as server, proxying(user="jane:pass%40word".replace("%40", "@")) as proxy:
            stream = await opened(proxy.before(server.route, user="jane:pass%40word"))
            stream.write(b"hello")
            while bytes(server.channels[0].received) != b"hello":
                await asyncio.sleep(0)
            assert proxy.asked[0].startswith(f"CONNECT {HERE}:{server.port} HTTP/1.1\r\n")
            assert "the-hosts-token" not in proxy.asked[0]
            stream.close()

    run(work)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "Forbidden"),
        (b"HTTP/1.1 502 Bad Gateway\r\nX: y\r\n\r\n", "Bad Gateway"),
        (b"nonsense\r\n\r\n", "cannot be read"),
        (b"HTTP/1.1", "in the middle of its answer"),
        (b"HTTP/1.1 500 " + b"x" * 40_000, "in the middle of its answer"),
    ],
)
def test_a_proxy_that_refuses_or_speaks_nonsense_is_named(tmp_path: Path, answer: bytes, told: str) -> None:
    async def work() -> None:
        async with forwarding(tmp_path) as server, proxying(answer=answer) as proxy:
            with pytest.raises(ConnectionError, match=told):
                await dial(proxy.before(server.route))

    run(work)


def test_a_proxy_that_says_nothing_is_given_up_in_time(tmp_path: Path) -> None:
    async def work() -> None:
        async with forwarding(tmp_path) as server:
            silent = await asyncio.start_server(lambda *_: asyncio.sleep(30), HERE, 0)
            async with proxying() as proxy:
                proxy.port = silent.sockets[0].getsockname()[1]
                route = replace(proxy.before(server.route), timeouts=Timeouts(0.1, 0.1))
                with pytest.raises(TimeoutError):
                    await dial(route)
            silent.close()

    run(work)
