"""By which host names a gateway is asked: its own, any for probes, and one of each virtual cluster's own."""

from pathlib import Path
from uuid import uuid4

import pytest

from gateway.names import Names
from gateway.server import Server
from tests.gateway.h2_server import Asked, H2Server
from tests.gateway.small_gateway import TOKEN, Answer, Small, played


def told(server: H2Server, stream_id: int, asked: Asked) -> None:
    server.answer(stream_id, 200, b"of the cluster: " + asked.headers[b":path"])


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return Small(tmp_path, names=Names(frozenset({"gate.example"}), "clusters.example"), answer=told)


async def ask(small: Small, host: str, path: str, *, token: str = TOKEN) -> Answer:
    line = await small.connect()
    proof = f"Authorization: Bearer {token}\r\n" if token else ""
    line.say(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{proof}\r\n".encode())
    answer = await line.answer()
    line.close()
    return answer


def test_all_paths_of_a_clusters_own_host_name_are_the_clusters(small: Small) -> None:
    async def play(server: Server) -> None:
        own = f"{small.caller.cluster_id}.clusters.example"
        for path in ("/version", "/livez", "/readyz", "/api/v1/pods", f"/v1/clusters/{uuid4()}/api"):
            for host in (own, f"{own}:8443", own.upper()):
                assert (await ask(small, host, path)).body == f"of the cluster: {path}".encode()

    played(small, play)


def test_a_clusters_own_host_name_tells_nothing_to_who_has_no_token_or_another_clusters(small: Small) -> None:
    async def play(server: Server) -> None:
        for path in ("/readyz", "/livez", "/version"):
            assert (await ask(small, f"{small.caller.cluster_id}.clusters.example", path, token="")).status == 401
            assert (await ask(small, f"{uuid4()}.clusters.example", path)).status == 401
        assert small.upstreams == []

    played(small, play)


def test_probes_come_by_any_name_and_everything_else_by_the_gateways_own(small: Small) -> None:
    async def play(server: Server) -> None:
        for host in ("gate.example", "10.0.0.7:8443", "other.clusters.example"):
            assert (await ask(small, host, "/readyz", token="")).body == b"ok"
            assert (await ask(small, host, "/livez", token="")).body == b"ok"
        path = f"/v1/clusters/{small.caller.cluster_id}/version"
        assert (await ask(small, "gate.example:8443", path)).body == b"of the cluster: /version"
        for host in ("evil.example", "other.clusters.example", f"{small.caller.cluster_id}.evil.example"):
            assert (await ask(small, host, path)).status == 421

    played(small, play)
