"""Clients are kept while they are used, and closed when their credential is not the newest any more."""

import base64
import select
import socket
import threading

import pytest

from clusters.connection import HostConnection
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.route import Timeouts, route_to
from provisioning.drivers.transport import ApiConnection, HostTransport, connection_open
from provisioning.engine.errors import PermanentError
from tests.provisioning.drivers.conftest import only_real
from tests.provisioning.drivers.fault_servers import certificate_pem, serving
from tests.provisioning.drivers.processes import left_open

# about connections, certificates and proxies, of which a fake shows nothing
pytestmark = only_real


def test_one_client_for_each_host_and_credential(host):
    transport = HostTransport()
    first = transport.client(host_id="a", generation=1, connection=host, name="harbor")
    assert transport.client(host_id="a", generation=1, connection=host) is first
    assert transport.client(host_id="b", generation=1, connection=host) is not first
    newer = transport.client(host_id="a", generation=2, connection=host)
    assert newer is not first
    assert transport.client(host_id="a", generation=2, connection=host) is newer
    transport.close()


def test_threads_that_come_at_once_share_one_client(host):
    transport = HostTransport()
    found: list[ApiConnection] = []
    threads = [
        threading.Thread(target=lambda: found.append(transport.client(host_id="a", generation=1, connection=host)))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len({id(client) for client in found}) == 1


def test_what_leaves_the_cache_is_closed_and_goes_on_working_for_who_has_it(host):
    before = left_open()
    transport = HostTransport(capacity=1)
    first = transport.client(host_id="a", generation=1, connection=host)
    KubeClient(first).version()
    assert left_open() != before
    transport.client(host_id="b", generation=1, connection=host)
    assert left_open() == before
    assert KubeClient(first).readyz()
    first.close()
    transport.forget("b")
    transport.close()
    assert left_open() == before


def test_a_client_certificate_needs_no_file(host, kube, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    certificate, key = certificate_pem("127.0.0.1")
    stranger = HostConnection(
        server=host.server, ca_pem=host.ca_pem, client_certificate_pem=certificate, client_key_pem=key
    )
    with connection_open(stranger, target="host x") as api, pytest.raises(PermanentError) as raised:
        KubeClient(api).version()
    assert raised.value.code == "unauthorized"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(PermanentError) as wrong:
        route_to(
            HostConnection(server=host.server, client_certificate_pem=certificate, client_key_pem=host.ca_pem),
            target="host x",
            timeouts=Timeouts(),
        )
    assert wrong.value.code == "unauthorized"


def test_no_proxy_of_this_machine_is_used_and_that_of_the_connection_is(host, monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with connection_open(host, target="host x") as api:
        assert KubeClient(api).readyz()
    asked: list[bytes] = []
    with serving(lambda client: tunnel(client, asked)) as port:
        proxied = with_proxy(host, f"http://user:p%40ss@127.0.0.1:{port}")
        with connection_open(proxied, target="host x") as api:
            assert KubeClient(api).readyz()
            api.route.dial().close()
    assert len(asked) == 2
    for request in asked:
        assert request.startswith(b"CONNECT " + host.server.removeprefix("https://").encode())
        assert b"Basic " + base64.b64encode(b"user:p@ss") in request
    with pytest.raises(PermanentError, match="only http:// and https:// proxies"):
        connection_open(with_proxy(host, "socks5://127.0.0.1:1080"), target="host x")


def with_proxy(host: HostConnection, proxy_url: str) -> HostConnection:
    return HostConnection(server=host.server, ca_pem=host.ca_pem, token=host.token, proxy_url=proxy_url)


def tunnel(client: socket.socket, asked: list[bytes]) -> None:
    """An HTTP proxy for one CONNECT."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += client.recv(4096)
    asked.append(request)
    address, _, port = request.split()[1].decode().partition(":")
    with socket.create_connection((address, int(port))) as server:
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            for ready in select.select([client, server], [], [])[0]:
                data = ready.recv(65536)
                if not data:
                    return
                (server if ready is client else client).sendall(data)
