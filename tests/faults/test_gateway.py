"""The gateway when what it stands on fails: hosts, pods, the database, one of two gateways; and clusters that sleep."""

import http.client
import json
import ssl
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dev.processes import Process
from localkube import LocalHost, Tools
from localkube.ports import free_ports
from tests.commands import Kubectl
from tests.e2e.api import Json
from tests.e2e.gate import Gate, Said
from tests.e2e.watching import Watch
from tests.faults.hosts import connect_all, through_proxy
from tests.faults.system import System, timed
from tests.faults.toxiproxy import Proxy, Toxiproxy
from tests.faults.waiting import until

pytestmark = pytest.mark.timeout(900)
Figure = Callable[[str, object], None]
KUBECTL = "User-Agent: kubectl/v1.36.3 (linux/amd64)"
K9S = "User-Agent: k9s/v0.50.6"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
BOUND_SECONDS = 40.0
"""Nobody waits longer for a sentence, whatever is silent."""
STALE_SECONDS = 30.0
HOLD_SECONDS = 25.0
SEEN_WITHIN_SECONDS = 5.0
SLACK_SECONDS = 8.0
"""On a machine that has much else to do."""


def passed(seconds: float) -> None:
    """Lets so much time pass: for what is promised by the clock."""
    until(partial(lambda end: time.monotonic() > end, time.monotonic() + seconds), "time stands still")


@dataclass(frozen=True)
class Gated:
    """A cluster that is published nowhere, behind a way that can be hurt."""

    system: System
    gate: Gate
    way: Proxy
    host: Kubectl
    cluster: Json

    def ask(
        self, *lines: str, path: str = "/version", method: str = "GET", token: str = "", seconds: float = 60
    ) -> Said:
        given = token or self.system.developer.token
        head = self.gate.head(self.cluster, given, "Connection: close", *lines, path=path, method=method)
        return self.gate.say(head, seconds=seconds)

    def watch(self) -> Watch:
        return Watch(self.gate, self.cluster, self.system.developer.token)

    @property
    def well(self) -> bool:
        return self.ask().status == 200

    @property
    def phase(self) -> str:
        (row,) = self.system.ask("SELECT phase FROM clusters_virtualcluster WHERE id = %s", self.cluster["id"])
        return str(row["phase"])

    def put_phase(self, phase: str) -> None:
        """As another flow, or adoption, would find it."""
        self.system.change("UPDATE clusters_virtualcluster SET phase = %s WHERE id = %s", phase, self.cluster["id"])
        passed(SEEN_WITHIN_SECONDS)


@pytest.fixture(scope="module")
def both(harbor: System, toxiproxy: Toxiproxy, local_hosts: Mapping[str, LocalHost], tools: Tools) -> tuple[Gated, ...]:
    hosts = list(local_hosts.values())
    ways = [through_proxy(toxiproxy, host, f"gated-{host.name}") for host in hosts]
    connect_all(harbor, [way for way, _ in ways])
    names = [f"gated-{number}" for number in range(len(hosts))]
    begun = [
        harbor.developer.create(name, project=harbor.project, host=way.name, spec={"exposure": "None"})
        for name, (way, _) in zip(names, ways, strict=True)
    ]
    for operation in begun:
        harbor.developer.ended(operation, seconds=240)
    gate = Gate.of(harbor.stack)
    return tuple(
        Gated(harbor, gate, proxy, Kubectl(tools.kubectl, host.kubeconfig), harbor.developer.cluster(name))
        for name, host, (_, proxy) in zip(names, hosts, ways, strict=True)
    )


@pytest.fixture
def gated(both: tuple[Gated, ...]) -> Iterator[Gated]:
    """The first of them; whole before and after."""
    until(lambda: both[0].well, "the cluster does not answer")
    yield both[0]
    both[0].way.heal()
    both[0].put_phase("Ready")
    until(lambda: both[0].well, "the cluster did not come back")


@pytest.fixture
def kubectl(gated: Gated, tools: Tools, tmp_path: Path) -> Kubectl:
    return Kubectl(tools.kubectl, gated.gate.kubeconfig(tmp_path, gated.cluster, gated.system.developer.token))


def test_a_host_that_is_gone_is_told_at_once_and_is_back_when_it_is_back(
    gated: Gated, kubectl: Kubectl, figure: Figure
) -> None:
    with gated.watch() as watch:
        gated.way.refuse()
        ended = watch.until_ended(seconds=BOUND_SECONDS)
    began = time.monotonic()
    answer = gated.ask()
    figure("gateway, host refuses: watch ended after (s)", ended)
    figure("gateway, host refuses: told after (s)", time.monotonic() - began)
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) >= 5
    assert "gated-0" in answer.message
    gated.way.heal()
    figure("gateway, host back: served after (s)", timed(lambda: gated.well, "it is not served"))
    kubectl("get", "namespaces")


def test_a_reset_in_the_middle_of_a_watch_ends_it_and_the_next_one_goes_on(
    gated: Gated, kubectl: Kubectl, figure: Figure
) -> None:
    with gated.watch() as watch:
        gated.way.reset()
        figure("gateway, connection reset: watch ended after (s)", watch.until_ended(seconds=BOUND_SECONDS))
    gated.way.heal()
    kubectl("get", "namespaces")
    with gated.watch() as watch:
        kubectl("create", "configmap", "after-the-reset")
        watch.until_seen("after-the-reset")
    kubectl("delete", "configmap", "after-the-reset")


def test_a_control_plane_that_is_replaced_costs_time_and_no_request(
    gated: Gated, kubectl: Kubectl, figure: Figure
) -> None:
    place = gated.cluster["placement"]
    pod = ("-n", place["namespace"], "pod", f"{place['release']}-0")
    was = gated.host.get(*pod)["metadata"]["uid"]
    gated.host("delete", *pod, "--wait=false", "--grace-period=1")
    longest, asked, began = 0.0, 0, time.monotonic()

    def replaced() -> bool:
        found = [
            each
            for each in gated.host.get("-n", place["namespace"], "pods")
            if each["metadata"]["name"] == pod[-1] and each["metadata"]["uid"] != was
        ]
        return bool(found) and found[0]["status"].get("phase") == "Running"

    while not replaced() or asked < 5:
        assert time.monotonic() - began < 180
        one = time.monotonic()
        program = ("get", "namespaces", "-o", "name", "--request-timeout=60s")
        assert "namespace/default" in kubectl(*program).stdout
        longest, asked = max(longest, time.monotonic() - one), asked + 1
    figure(f"gateway, pod replaced: longest of {asked} kubectl get (s)", longest)


def test_a_silent_host_is_told_in_bounded_time_and_slows_no_other_cluster(
    both: tuple[Gated, ...], gated: Gated, figure: Figure
) -> None:
    other = both[1]
    until(lambda: other.well, "the other cluster does not answer")
    before = _latency(other)
    with gated.way.silent(), ThreadPoolExecutor(30) as pool:
        began = time.monotonic()
        asking = [pool.submit(_timed_ask, gated) for _ in range(30)]
        meanwhile = _latency(other)
        answers = [each.result() for each in asking]
        took = time.monotonic() - began
        again = _timed_ask(gated)
    statuses = {answer.status for answer, _ in answers}
    figure("gateway, silent host: 30 requests told after at most (s)", took)
    figure("gateway, silent host: told later after (s)", again[1])
    figure("gateway, silent host: another cluster's latency, times what it was", meanwhile / before)
    assert statuses == {503}, statuses
    assert "gated-0" in answers[0][0].message
    assert max(took, again[1]) < BOUND_SECONDS + SLACK_SECONDS
    assert meanwhile < 3 * before + 0.1


def _timed_ask(gated: Gated) -> tuple[Said, float]:
    began = time.monotonic()
    return gated.ask(seconds=120), time.monotonic() - began


def _latency(gated: Gated) -> float:
    """The median of many requests, in seconds."""
    return statistics.median(_timed_ask(gated)[1] for _ in range(40))


def test_a_database_that_is_away_stops_nobody_for_half_a_minute(gated: Gated, figure: Figure) -> None:
    assert gated.well
    new = gated.system.developer("POST", "/access-tokens", {"name": "new"}, status=201)["token"]
    gated.system.servers.postgres_stop()
    began = time.monotonic()
    try:
        with gated.watch() as watch:
            answers, slowest = 0, 0.0
            while time.monotonic() - began < STALE_SECONDS - 6:
                answer, took = _timed_ask(gated)
                assert answer.status == 200, (time.monotonic() - began, answer)
                answers, slowest = answers + 1, max(slowest, took)
            stranger = gated.ask(token=new)
            assert (stranger.status, stranger.headers["retry-after"]) == (503, "5")
            assert "database" in stranger.message
            until(lambda: gated.ask().status == 503, "known tokens go on without end", seconds=20)
            known = time.monotonic() - began
            watch.until_ended(seconds=SLACK_SECONDS)
    finally:
        gated.system.servers.postgres_start()
    back = time.monotonic()
    until(lambda: gated.well and gated.ask(token=new).status == 200, "it did not come back")
    figure(f"gateway, database away: slowest of {answers} requests of a known token (s)", slowest)
    figure("gateway, database away: known tokens went on for (s)", known)
    figure("gateway, database back: all well after (s)", time.monotonic() - back)
    assert known < STALE_SECONDS + SLACK_SECONDS


def _opened(gate: Gate) -> http.client.HTTPSConnection:
    address = urlsplit(gate.url)
    context = ssl.create_default_context(cafile=gate.ca_file)
    made = http.client.HTTPSConnection(str(address.hostname), address.port, timeout=60, context=context)
    made.connect()
    return made


@dataclass
class Load:
    """Clients that keep their connections, and go to the other gateway when one refuses."""

    gates: list[Gate]
    path: str
    token: str
    over: threading.Event = field(default_factory=threading.Event)
    answered: int = 0
    refused: int = 0
    failed: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, number: int) -> None:
        at, connection = number, None
        while not self.over.is_set():
            try:
                if connection is None:
                    connection = _opened(self.gates[at % 2])
            except ConnectionRefusedError:
                at, connection = at + 1, None
                with self.lock:
                    self.refused += 1
                continue
            connection = self._ask(connection)

    def _ask(self, connection: http.client.HTTPSConnection) -> http.client.HTTPSConnection | None:
        try:
            connection.request("GET", self.path, headers={"Authorization": f"Bearer {self.token}"})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            with self.lock:
                self.failed.append(repr(error))
            return None
        with self.lock:
            self.answered += 1
            if answer.status != 200:
                self.failed.append(str(answer.status))
        return None if answer.will_close else connection


def test_one_of_two_gateways_is_restarted_under_load_and_no_request_fails(gated: Gated, figure: Figure) -> None:
    stack, system = gated.system.stack, gated.system
    port = free_ports(1)[0]
    second = Gate(f"https://127.0.0.1:{port}", gated.gate.ca_file)
    program = stack.gateway_program("gateway-2", GATEWAY_BIND=f"127.0.0.1:{port}")
    process = Process(program, system.processes.logs / "gateway-2.log")
    load = Load(
        [gated.gate, second],
        f"/v1/clusters/{gated.cluster['id']}/api/v1/namespaces/default",
        system.developer.token,
    )
    try:
        until(lambda: _answers(second, gated), "the second gateway does not answer")
        threads = [threading.Thread(target=load.run, args=(number,), daemon=True) for number in range(8)]
        for thread in threads:
            thread.start()
        until(lambda: load.answered > 200, "there is no load")
        process.ask_to_stop()
        took = timed(lambda: not process.running, "it does not stop", seconds=30)
        assert process.exit_code == 0, process.last_words()
        with pytest.raises(ConnectionRefusedError):
            second.connect()
        behind = load.answered
        until(lambda: load.answered > behind + 200, "the other gateway does not carry the load")
        process = Process(program, system.processes.logs / "gateway-2-again.log")
        until(lambda: _answers(second, gated), "it does not come back")
    finally:
        load.over.set()
        process.ask_to_stop()
        process.ended_by(time.monotonic() + 30)
    figure("gateway restarted under load: gone after (s)", took)
    figure(f"gateway restarted under load: failed of {load.answered} requests", len(load.failed))
    assert load.failed == []


def _answers(gate: Gate, gated: Gated) -> bool:
    try:
        head = gate.head(gated.cluster, gated.system.developer.token, "Connection: close")
        return gate.say(head).status == 200
    except OSError:
        return False


def test_what_only_looks_does_not_wake_and_kubectl_does(gated: Gated, kubectl: Kubectl, figure: Figure) -> None:
    gated.put_phase("Asleep")
    told = gated.ask(K9S, path=CONFIG_MAPS)
    assert told.status == 503
    assert f"marina wake gated-0 -p {gated.system.project}" in told.message
    assert gated.ask("User-Agent: argocd-application-controller/v3", path=CONFIG_MAPS).status == 503
    assert gated.ask(KUBECTL, path=f"{CONFIG_MAPS}?watch=1").status == 503
    assert gated.phase == "Asleep"
    began = time.monotonic()
    assert "default" in kubectl("get", "namespaces", "-o", "name", "--request-timeout=60s").stdout
    figure("gateway, asleep: kubectl get took with waking (s)", time.monotonic() - began)
    until(lambda: gated.phase == "Ready", "it is not awake")


def test_a_cluster_that_was_paused_as_upstream_does_it_is_woken_by_who_asks(
    gated: Gated, kubectl: Kubectl, figure: Figure
) -> None:
    place = gated.cluster["placement"]
    there = ("-n", place["namespace"])
    paused = ("loft.sh/paused=true", "loft.sh/paused-replicas=1")
    gated.host(*there, "annotate", "statefulset", place["release"], *paused)
    gated.host(*there, "scale", "statefulset", place["release"], "--replicas=0")
    pod = f"{place['release']}-0"
    until(
        lambda: pod not in [each["metadata"]["name"] for each in gated.host.get(*there, "pods")],
        "the control plane still runs",
    )
    gated.put_phase("Asleep")
    began = time.monotonic()
    assert "default" in kubectl("get", "namespaces", "-o", "name", "--request-timeout=0").stdout
    figure("gateway, paused: kubectl get took with waking (s)", time.monotonic() - began)
    until(lambda: gated.phase == "Ready", "it is not awake")


def test_who_waits_longer_than_a_client_does_is_told_when_to_come_again(gated: Gated, figure: Figure) -> None:
    gated.put_phase("Waking")
    answer, took = _timed_ask(gated)
    figure("gateway, waking: held for (s)", took)
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert "is waking up" in answer.message
    assert HOLD_SECONDS - 1 < took < HOLD_SECONDS + SLACK_SECONDS


@pytest.mark.parametrize(
    ("phase", "reason"),
    [
        ("Updating", "is being changed"),
        ("Upgrading", "is being upgraded"),
    ],
)
def test_a_cluster_at_which_something_is_done_holds_its_requests_and_says_what(
    gated: Gated, figure: Figure, phase: str, reason: str
) -> None:
    gated.put_phase(phase)
    gated.way.refuse()
    with ThreadPoolExecutor(2) as pool:
        told = pool.submit(_timed_ask, gated)
        answer, took = told.result()
        assert answer.status == 503
        assert reason in answer.message
        figure(f"gateway, {phase}: held for (s)", took)
        held = pool.submit(_timed_ask, gated)
        passed(5)
        gated.way.heal()
        assert held.result()[0].status == 200
    assert json.loads(answer.body)["details"]["retryAfterSeconds"] == 5


def test_a_cluster_that_is_being_moved_is_asked_as_always_and_what_does_not_answer_is_told_as_soon(
    gated: Gated, figure: Figure
) -> None:
    gated.put_phase("Migrating")
    assert gated.well
    assert _write(gated).status == 400, "the API server says that it is nothing"
    gated.way.refuse()
    answer, took = _timed_ask(gated)
    figure("gateway, Migrating: not answering, told after (s)", took)
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert "is being moved to another host" in answer.message
    assert took < HOLD_SECONDS - SLACK_SECONDS


def test_a_gateway_that_is_cut_off_from_the_database_takes_no_writes_to_a_cluster_that_is_being_moved(
    gated: Gated, figure: Figure
) -> None:
    gated.put_phase("Migrating")
    assert _write(gated).status == 400
    gated.system.servers.postgres_stop()
    began = time.monotonic()
    try:
        until(lambda: _write(gated).status == 503, "it takes writes without knowing where the cluster is", seconds=10)
        figure("gateway, Migrating and database away: writes refused after (s)", time.monotonic() - began)
        refused = _write(gated)
        assert refused.headers["retry-after"] == "1"
        assert "being moved" in refused.message
        assert gated.well, "reading goes on"
    finally:
        gated.system.servers.postgres_start()
    until(lambda: _write(gated).status == 400, "it does not take writes again")


def _write(gated: Gated) -> Said:
    """One that an API server refuses once it has it."""
    return gated.ask("Content-Type: application/json", "Content-Length: 0", path=CONFIG_MAPS, method="POST")
