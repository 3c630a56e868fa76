"""`make bench-gateway`: what the gateway adds, beside the same done without it, in turns within one run."""

import base64
import contextlib
import http.client
import json
import resource
import socket
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import yaml

from dev.port_forward import port_forward
from dev.processes import Process, Program
from dev.settings_names import ROOT
from dev.waiting import wait_until
from localkube import LocalHost, Tools, ensure_tools
from localkube.pki import Authority
from localkube.ports import free_ports
from tests.bench.creating import MarinaItself
from tests.bench.figures import Figure, tell, write
from tests.bench.hosts import SETTINGS, local_host
from tests.bench.setup import FOLDER, Bench, bench

SMALL = "/api/v1/namespaces/default"
LARGE = "/api/v1/namespaces/default/configmaps"
ROUNDS = 2_000
LISTS = 15
WATCHES = 1_000
IDLE_SECONDS = 20.0
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Way:
    """One way to a virtual API: an address with its trust, and who one is there."""

    address: str
    trust: ssl.SSLContext
    headers: Mapping[str, str]
    prefix: str = ""

    def open(self) -> "Kept":
        return Kept(self)


class Kept:
    """A connection that is kept alive, as kubectl and client-go do."""

    def __init__(self, way: Way) -> None:
        address = urlsplit(way.address)
        self._way = way
        self._http = http.client.HTTPSConnection(address.hostname or "", address.port, context=way.trust, timeout=60)

    def get(self, path: str) -> int:
        """How many bytes the answer has."""
        self._http.request("GET", self._way.prefix + path, headers=dict(self._way.headers))
        answer = self._http.getresponse()
        body = answer.read()
        assert answer.status == 200, (answer.status, body[:300])
        return len(body)


@dataclass(frozen=True)
class Ways:
    """Each cluster with and without the gateway."""

    direct: Way
    gate: Way
    forwarded: Way
    gate_forwarded: Way


def figures(running: Bench) -> Iterator[Figure]:
    """All of them on one local host, with one cluster that is published and one that is not."""
    tools = ensure_tools(print)
    with local_host(FOLDER / "localkube") as host:
        marina = _marina(running, tools, host)
        gateway, settings = _gateway(running)
        ways = _ways(running, tools, host, marina, settings)
        yield from _latency(ways)
        yield _throughput(ways)
        yield from _watches(ways, gateway, host)


# --- what is measured -----------------------------------------------------------------------------------------------


def _latency(ways: Ways) -> Iterator[Figure]:
    taken = _in_turns({"direct": ways.direct, "gate": ways.gate}, SMALL, ROUNDS)
    direct, gate = taken["direct"], taken["gate"]
    said = f"direct {_both(direct)}; through the gateway {_both(gate)}"
    added = {percent: (_percentile(gate, percent) - _percentile(direct, percent)) * 1000 for percent in (50, 99)}
    yield tell(Figure("gateway_added_ms_p50", added[50], 3.0, at_most=True, said=said))
    yield tell(Figure("gateway_added_ms_p99", added[99], 15.0, at_most=True))
    taken = _in_turns({"kubectl": ways.forwarded, "gate": ways.gate_forwarded}, SMALL, ROUNDS)
    kubectl, gate = taken["kubectl"], taken["gate"]
    said = f"kubectl port-forward {_both(kubectl)}; the gateway's {_both(gate)}"
    ratio = _percentile(gate, 50) / _percentile(kubectl, 50)
    yield tell(Figure("gateway_port_forward_p50_ratio", ratio, 2.0, at_most=True, said=said))


def _throughput(ways: Ways) -> Figure:
    taken = _in_turns({"direct": ways.direct, "gate": ways.gate}, LARGE, LISTS)
    direct, gate = (statistics.median(taken[name]) for name in ("direct", "gate"))
    size = ways.direct.open().get(LARGE) / 1e6
    said = f"a list of {size:.1f} MB: direct {size / direct:.0f} MB/s, through the gateway {size / gate:.0f} MB/s"
    return tell(Figure("gateway_list_throughput", direct / gate, 0.5, at_most=False, said=said))


def _watches(ways: Ways, gateway: Process, host: LocalHost) -> Iterator[Figure]:
    process = psutil.Process(gateway.pid)
    before = process.memory_info().rss
    with contextlib.ExitStack() as opened:
        for _ in range(WATCHES):
            opened.enter_context(_watch(ways.gate_forwarded))
        memory = process.memory_info().rss / MEBIBYTE
        busy = process.cpu_times()
        time.sleep(IDLE_SECONDS)  # what is measured is a time in which nothing happens
        after = process.cpu_times()
        port = urlsplit(_server(host)).port
        connections = [each for each in process.net_connections("tcp") if each.raddr and each.raddr.port == port]
    share = (after.user + after.system - busy.user - busy.system) / IDLE_SECONDS * 100
    said = f"{WATCHES} watches; the gateway alone {before / MEBIBYTE:.0f} MiB"
    yield tell(Figure("gateway_watches_memory_mib", memory, 300, at_most=True, said=said))
    yield tell(Figure("gateway_watches_idle_cpu_percent", share, 5.0, at_most=True, said="of one core"))
    yield tell(Figure("gateway_watches_host_connections", len(connections), 50, at_most=True))


@contextlib.contextmanager
def _watch(way: Way) -> Iterator[None]:
    """Open, and its answer begun. Its own TLS is as small as it gets, because this machine holds them all."""
    address = urlsplit(way.address)
    raw = socket.create_connection((address.hostname, address.port), timeout=60)
    with way.trust.wrap_socket(raw, server_hostname=address.hostname) as secured:
        lines = [f"GET {way.prefix}{LARGE}?watch=1 HTTP/1.1", f"Host: {address.netloc}"]
        lines += [f"{name}: {value}" for name, value in way.headers.items()]
        secured.sendall("\r\n".join([*lines, "", ""]).encode())
        assert secured.recv(1024).startswith(b"HTTP/1.1 200")
        yield


def _in_turns(ways: Mapping[str, Way], path: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of each request, one way after the other, so that all meet the same machine."""
    kept = {name: way.open() for name, way in ways.items()}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for connection in kept.values():
        for _ in range(5):
            connection.get(path)
    for _ in range(rounds):
        for name, connection in kept.items():
            began = time.perf_counter()
            connection.get(path)
            taken[name].append(time.perf_counter() - began)
    return taken


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def _both(values: list[float]) -> str:
    return " and ".join(f"p{percent} {_percentile(values, percent) * 1000:.2f} ms" for percent in (50, 99))


# --- what it is measured on -----------------------------------------------------------------------------------------


def _marina(running: Bench, tools: Tools, host: LocalHost) -> MarinaItself:
    from provisioning.heartbeat import workers_alive
    from tests.bench.creating import settings_take

    settings = {**SETTINGS, "HELM_BINARY": str(tools.helm)}
    settings_take(settings)
    running.worker("worker", app="controlplane", queues="operations", threads=10, **settings)
    wait_until(lambda: bool(workers_alive("operations")), seconds=60, what="the worker did not report")
    marina = MarinaItself()
    marina.connect(host)
    marina.create("published")
    marina.create("forwarded", exposure="None")
    return marina


def _gateway(running: Bench) -> tuple[Process, dict[str, str]]:
    authority = Authority(FOLDER / "gateway", "bench")
    certificate, key = authority.issue_files("gateway", "localhost", hosts=["localhost", "127.0.0.1"])
    port = free_ports(1)[0]
    settings = {
        "GATEWAY_URL": f"https://127.0.0.1:{port}",
        "GATEWAY_BIND": f"127.0.0.1:{port}",
        "GATEWAY_TLS_CERT": str(certificate),
        "GATEWAY_TLS_KEY": str(key),
        "GATEWAY_CA_FILE": str(authority.certificate_file),
        "GATEWAY_RATE": "100000",
        "GATEWAY_STREAMS": str(WATCHES + 10),
    }
    program = Program("gateway", [sys.executable, "-m", "gateway"], {**running.environment, **settings}, ROOT)
    process = running.processes.start(program)

    def listens() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    wait_until(listens, seconds=60, what="the gateway does not listen", alive=process.require_running)
    return process, settings


def _ways(running: Bench, tools: Tools, host: LocalHost, marina: MarinaItself, settings: Mapping[str, str]) -> Ways:
    from clusters.models import Placement

    token = marina.token()
    placements = {each.virtual_cluster.name: each for each in Placement.objects.select_related("virtual_cluster")}
    ask = _asker(tools, host)
    gate = ssl.create_default_context(cafile=settings["GATEWAY_CA_FILE"])

    def through(name: str) -> Way:
        prefix = f"/v1/clusters/{placements[name].virtual_cluster_id}"
        return Way(settings["GATEWAY_URL"], gate, {"Authorization": f"Bearer {token}"}, prefix)

    published, hidden = placements["published"], placements["forwarded"]
    address = port_forward(
        kubectl=tools.kubectl,
        kubeconfig=host.kubeconfig,
        namespace=hidden.namespace,
        pod=f"{hidden.release}-0",
        processes=running.processes,
        environment=running.environment,
    )
    ways = Ways(
        direct=Way(published.endpoint, _inside(ask, published), {}),
        gate=through("published"),
        forwarded=Way(address, _inside(ask, hidden), {}),
        gate_forwarded=through("forwarded"),
    )
    _fill(tools, ask, published)
    return ways


def _asker(tools: Tools, host: LocalHost) -> Callable[..., Any]:
    def ask(*arguments: str) -> Any:
        command = [str(tools.kubectl), "--kubeconfig", str(host.kubeconfig), *arguments, "-o", "json"]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    return ask


def _inside(ask: Callable[..., Any], placement: Any) -> ssl.SSLContext:
    """With the certificate that vcluster wrote: what it costs to be let in is not what is measured."""
    folder = FOLDER / "inside" / placement.release
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in _secret(ask, placement).items():
        (folder / name).write_bytes(content)
    context = ssl.create_default_context(cafile=folder / "certificate-authority")
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.load_cert_chain(folder / "client-certificate", folder / "client-key")
    return context


def _secret(ask: Callable[..., Any], placement: Any) -> dict[str, bytes]:
    data = ask("-n", placement.namespace, "get", "secret", f"vc-{placement.release}")["data"]
    return {name: base64.b64decode(value) for name, value in data.items()}


def _fill(tools: Tools, ask: Callable[..., Any], placement: Any) -> None:
    """500 ConfigMaps of 10 kB: a list of 5 MB."""
    config = FOLDER / "inside" / placement.release / "config"
    config.write_text(_secret(ask, placement)["config"].decode().replace("https://localhost:8443", placement.endpoint))
    items = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c-{n}"}, "data": {"n": "x" * 10_000}}
        for n in range(500)
    ]
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    command = [str(tools.kubectl), "--kubeconfig", str(config), "--tls-server-name", "localhost"]
    create = [*command, "-n", "default", "create", "-f", "-"]
    subprocess.run(create, input=manifest, text=True, check=True, stdout=subprocess.DEVNULL)


def _server(host: LocalHost) -> str:
    return str(yaml.safe_load(Path(host.kubeconfig).read_text())["clusters"][0]["cluster"]["server"])


def main() -> int:
    """Exit code 0 when each figure meets its target."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with bench() as running:
        found = list(figures(running))
    write("gateway", found)
    return 0 if all(figure.ok for figure in found) else 1


if __name__ == "__main__":
    sys.exit(main())
