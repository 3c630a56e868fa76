"""How large a body may be: what Kubernetes reads itself as large as it reads, everything else as large as it is."""

import asyncio
import json
from pathlib import Path

import pytest

from gateway.bodies import LONGEST_BODY
from gateway.server import Server
from tests.gateway.h2_server import Asked, H2Server
from tests.gateway.small_gateway import Line, Small, played

SECRETS = "/api/v1/namespaces/default/secrets"
TOO_LARGE = "Request entity too large: limit is 3145728"


def measured(server: H2Server, stream_id: int, asked: Asked) -> None:
    server.answer(stream_id, 200, str(len(asked.body)).encode())


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return Small(tmp_path, answer=measured)


async def sent(line: Line, data: bytes) -> None:
    line.say(data)
    await line.writer.drain()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", SECRETS),
        ("PUT", f"{SECRETS}/a"),
        ("PATCH", "/apis/apps/v1/namespaces/default/deployments/a"),
        ("DELETE", "/apis/rbac.authorization.k8s.io/v1/clusterroles/a"),
    ],
)
def test_a_body_above_the_limit_is_refused_as_kubernetes_does_it_and_reaches_nobody(
    small: Small, method: str, path: str
) -> None:
    async def play(server: Server) -> None:
        line = await small.connect()
        line.say(small.head(f"Content-Length: {LONGEST_BODY + 1}", method=method, path=path))
        answer = await line.answer()
        status = json.loads(answer.body)
        assert (answer.status, status["message"], status["code"]) == (413, TOO_LARGE, 413)
        assert (status["kind"], status["reason"]) == ("Status", "RequestEntityTooLarge")
        assert small.records[0].refused_for == "too-large"
        assert all(asked.headers[b":path"] != path.encode() for api in small.upstreams for asked in api.asked.values())

    played(small, play)


def test_one_that_does_not_say_its_length_is_broken_off_at_the_limit_and_told_so(small: Small) -> None:
    async def play(server: Server) -> None:
        line = await small.connect()
        line.say(small.head("Transfer-Encoding: chunked", method="POST", path=SECRETS))
        for _ in range(LONGEST_BODY // 0x10000 + 1):
            await sent(line, b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        answer = await line.answer()
        assert (answer.status, answer.message) == (413, TOO_LARGE)
        (api,) = small.upstreams
        (asked,) = [each for each in api.asked.values() if each.headers[b":path"] == SECRETS.encode()]
        await api.until(lambda: asked.reset is not None)
        assert not asked.ended, "the API server never saw a whole request"

    played(small, play)


def test_one_at_the_limit_passes(small: Small) -> None:
    async def play(server: Server) -> None:
        line = await small.connect()
        line.say(small.head(f"Content-Length: {LONGEST_BODY}", method="POST", path=SECRETS))
        await sent(line, b"x" * LONGEST_BODY)
        assert (await line.answer()).body == str(LONGEST_BODY).encode()

    played(small, play)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/default/services/web/proxy/upload",
        "/apis/build.example.com/v1/namespaces/default/builds/a/binary",
        "/upload",
    ],
)
def test_what_others_read_than_kubernetes_itself_may_be_larger(small: Small, path: str) -> None:
    async def play(server: Server) -> None:
        line = await small.connect()
        line.say(small.head(f"Content-Length: {2 * LONGEST_BODY}", method="POST", path=path))
        await sent(line, b"x" * (2 * LONGEST_BODY))
        assert (await line.answer()).body == str(2 * LONGEST_BODY).encode()

    played(small, play)


def test_who_asks_first_sends_nothing_that_is_too_large(small: Small) -> None:
    async def play(server: Server) -> None:
        line = await small.connect()
        line.say(small.head(f"Content-Length: {LONGEST_BODY + 1}", "Expect: 100-continue", method="POST", path=SECRETS))
        async with asyncio.timeout(5):
            assert (await line.answer()).status == 413

    played(small, play)
