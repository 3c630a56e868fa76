"""Clients of a cluster that is moved: writers, informers, `kubectl get -w`, and those who come with old versions."""

import base64
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import urllib3
from kubernetes import client, config
from kubernetes.informer import SharedInformer
from urllib3.exceptions import HTTPError

from dev.stack import Stack
from dev.waiting import wait_until
from gateway.revisions import GIVEN_OUT_LATER
from localkube import Tools
from tests.commands import Kubectl
from tests.conftest import TestHost
from tests.e2e.api import Api, Json
from tests.e2e.gate import Gate
from tests.e2e.moved_by_hand import FROZEN, NAMESPACE, Move, Place, config_map

pytestmark = [pytest.mark.localkube, pytest.mark.timeout(600)]

KUBECTL_SECONDS = 10
"""It asks again ten times, a second or more apart; who is held up for longer is told of the freeze."""
WATCH_ENDS_SECONDS = 5
"""After the switch, with other tests on the same machine; by itself it is below one."""


@dataclass(frozen=True)
class Scene:
    """The cluster, its two places, and how clients reach it."""

    move: Move
    here: Place
    there: Place
    kubeconfig: Path
    kubectl: Path

    def core(self) -> client.CoreV1Api:
        """A client of its own through the gateway, which repeats nothing unseen."""
        how = client.Configuration()
        config.load_kube_config(str(self.kubeconfig), client_configuration=how)
        how.retries = False
        return client.CoreV1Api(client.ApiClient(how))

    def active(self) -> Place:
        query = "SELECT id FROM clusters_placement WHERE virtual_cluster_id = %s AND role = 'active'"
        (found,) = self.move.database.execute(query, (self.move.cluster["id"],)).fetchone() or ("",)
        return self.here if str(found) == self.here.placement else self.there

    def other(self) -> Place:
        return self.there if self.active() is self.here else self.here


@pytest.fixture(scope="module")
def lasting(stack: Stack) -> Iterator[psycopg.Connection]:
    with psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def scene(
    stack: Stack,
    developer: Api,
    hosts: list[TestHost],
    project: str,
    inside_of: Callable[[str], Kubectl],
    tools: Tools,
    lasting: psycopg.Connection,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Scene]:
    names = ("moved-from", "moved-onto")
    started = [
        developer.create(name, project=project, host=host.name) for name, host in zip(names, hosts[:2], strict=True)
    ]
    for operation in started:
        developer.ended(operation, seconds=240)
    clusters = [developer.cluster(name) for name in names]
    placements = [_placement(lasting, cluster) for cluster in clusters]
    places = []
    for name, placement in zip(names, placements, strict=True):
        kubectl = inside_of(name)
        kubectl("create", "namespace", NAMESPACE)
        core = client.CoreV1Api(config.new_client_from_config(str(kubectl.kubeconfig)))
        places.append(Place(placement, core))
    file = Gate.of(stack).kubeconfig(tmp_path_factory.mktemp("gate"), clusters[0], developer.token)
    yield Scene(Move(lasting, clusters[0]), places[0], places[1], file, tools.kubectl)
    with lasting.transaction():
        lasting.execute("UPDATE clusters_placement SET role = 'retained' WHERE id = ANY(%s::uuid[])", (placements,))
        for cluster, placement in zip(clusters, placements, strict=True):
            lasting.execute(
                "UPDATE clusters_placement SET role = 'active', virtual_cluster_id = %s WHERE id = %s",
                (cluster["id"], placement),
            )
    for name in names:
        developer.ended(developer.delete(name), seconds=240)


def _placement(database: psycopg.Connection, cluster: Json) -> str:
    query = "SELECT id FROM clusters_placement WHERE virtual_cluster_id = %s AND role = 'active'"
    (found,) = database.execute(query, (cluster["id"],)).fetchone() or ("",)
    return str(found)


@pytest.fixture
def moving(scene: Scene) -> Iterator[Scene]:
    """The cluster is about to be moved."""
    scene.move.begin()
    yield scene
    scene.move.end()


@dataclass
class Writer:
    """Creates, changes and deletes config maps as fast as it is answered, and keeps what was acknowledged."""

    core: client.CoreV1Api
    prefix: str
    held: dict[str, str] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    refused: list[client.ApiException] = field(default_factory=list)
    strange: list[Exception] = field(default_factory=list)
    accepted: list[float] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    done: bool = False

    def run(self) -> None:
        self._run()
        self.done = True

    def _run(self) -> None:
        number = 0
        while not self.over.is_set():
            number += 1
            name = f"{self.prefix}-{number % 40:03}"
            if name in self.unknown:
                continue
            try:
                self._write(name, str(number))
            except client.ApiException as error:
                if error.status == 503:
                    self.refused.append(error)
                else:
                    self.strange.append(error)
                    self.unknown.add(name)
                self.over.wait(0.02)
            except HTTPError as error:
                self.strange.append(error)
                self.unknown.add(name)

    def _write(self, name: str, value: str) -> None:
        if name not in self.held:
            self.core.create_namespaced_config_map(NAMESPACE, config_map(name, {"n": value}))
            self.held[name] = value
        elif int(value) % 3:
            self.core.patch_namespaced_config_map(name, NAMESPACE, {"data": {"n": value}})
            self.held[name] = value
        else:
            self.core.delete_namespaced_config_map(name, NAMESPACE)
            del self.held[name]
        self.accepted.append(time.monotonic())


@dataclass
class Creating:
    """`kubectl create`, one after the other: it asks again by itself when it is told to."""

    scene: Scene
    prefix: str
    made: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    done: bool = False

    def run(self) -> None:
        while not self.over.is_set():
            name = f"{self.prefix}-k{len(self.made):03}"
            how = ["--kubeconfig", str(self.scene.kubeconfig), "-n", NAMESPACE]
            done = subprocess.run(
                [self.scene.kubectl, "create", "configmap", name, *how], capture_output=True, text=True, check=False
            )
            if done.returncode:
                self.failed.append(done.stderr)
            self.made.append(name)
        self.done = True


@dataclass
class Get:
    """`kubectl get -w` in a loop, as scripts run it: what it shows is what was there last."""

    scene: Scene
    seen: dict[str, Any] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    process: "subprocess.Popen[str] | None" = None

    def run(self) -> None:
        how = ["--kubeconfig", str(self.scene.kubeconfig), "-n", NAMESPACE, "-o", "json", "--output-watch-events"]
        while not self.over.is_set():
            self.seen.clear()
            self.process = subprocess.Popen(
                [self.scene.kubectl, "get", "configmaps", "-w", *how],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for line in self.process.stdout or ():
                self._see(json.loads(line))
            self.said.append(self.process.stderr.read() if self.process.stderr else "")
            self.process.wait()
            self.ends.append(time.monotonic())

    def _see(self, event: Json) -> None:
        if event["type"] == "ERROR":
            return
        name = event["object"]["metadata"]["name"]
        if event["type"] == "DELETED":
            self.seen.pop(name, None)
        else:
            self.seen[name] = event["object"].get("data")

    def stop(self) -> None:
        self.over.set()
        if self.process is not None:
            self.process.terminate()


@pytest.mark.parametrize("advance", [True, False], ids=["there", "and-back"])
def test_over_freeze_and_switch_nothing_acknowledged_is_lost_and_who_watches_sees_what_is_there(
    moving: Scene, advance: bool, tell: Callable[[str], None]
) -> None:
    """There the versions of both are apart; back again they overlap, which is the hard case."""
    old, new = moving.active(), moving.other()
    writer = Writer(moving.core(), prefix="there" if advance else "back")
    informer = SharedInformer(moving.core().list_namespaced_config_map, namespace=NAMESPACE)
    clients = Clients(writer, Creating(moving, writer.prefix), informer, Get(moving))
    with working(clients):
        _moved(moving, old, new, clients, advance=advance, tell=tell)


@dataclass(frozen=True)
class Clients:
    writer: Writer
    creating: Creating
    informer: SharedInformer
    get: Get


@contextmanager
def working(clients: Clients) -> Iterator[None]:
    """All of them are at it."""
    working = (clients.writer, clients.creating, clients.get)
    threads = [threading.Thread(target=each.run, daemon=True) for each in working]
    clients.informer.start()
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        clients.writer.over.set()
        clients.creating.over.set()
        clients.get.stop()
        clients.informer._stop_event.set()  # its own `stop` waits for the next event of the watch
        for thread in threads:
            thread.join(10)


def _moved(
    moving: Scene, old: Place, new: Place, clients: Clients, *, advance: bool, tell: Callable[[str], None]
) -> None:
    writer, creating, informer, get = clients.writer, clients.creating, clients.informer, clients.get
    wait_until(lambda: len(writer.accepted) > 200, seconds=60, what="Nothing is written")
    wait_until(lambda: len(get.seen) > 10, seconds=30, what=f"kubectl sees nothing: {get.said}")

    if advance:  # by far the most of it while nobody waits, as a move does: kubectl tries again for ten seconds
        new.advance(old.revision())
    moving.move.freeze()
    frozen = time.monotonic()
    copied = old.held()
    moving.move.copy(old, new)
    assert old.held() == copied, "nothing is written there any more"
    foreign, first = moving.move.switch(old, new, advance=advance)
    assert (first > foreign) is advance
    switched = time.monotonic()
    wait_until(lambda: writer.accepted[-1] > switched, seconds=20, what="Nothing is written after the switch")
    again = next(each for each in writer.accepted if each > switched) - switched
    last = max(each for each in writer.accepted if each < switched)
    old_names = old.held()
    wait_until(lambda: len([each for each in writer.accepted if each > switched]) > 200, seconds=60, what="No writes")
    writer.over.set()
    wait_until(lambda: writer.done, seconds=20, what="The writer does not stop")
    assert old.held() == old_names, "where it was nothing was written after the switch"
    there = new.held()
    for name, value in writer.held.items():
        assert name in writer.unknown or there.get(name) == str({"n": value}), name
    creating.over.set()
    wait_until(lambda: creating.done, seconds=30, what="kubectl does not end")
    there = new.held()
    noticed = [said for said in creating.failed if FROZEN not in said or switched - frozen < KUBECTL_SECONDS]
    assert noticed == [], f"kubectl noticed something of the freeze, which took {switched - frozen:.1f} s"
    assert set(creating.made) <= there.keys()
    created = {name for name in there if name.startswith(writer.prefix)} - set(creating.made)
    assert created <= writer.held.keys() | writer.unknown, "what was acknowledged as deleted is there"
    assert writer.refused
    assert all(1 <= int((error.headers or {})["Retry-After"]) <= 10 for error in writer.refused)
    assert FROZEN in {json.loads(error.body or "{}")["message"] for error in writer.refused}
    assert all(isinstance(each, client.ApiException) and each.status == 500 for each in writer.strange), writer.strange

    def shown() -> dict[str, str]:
        return {item.metadata.name: str(item.data) for item in informer.cache.list()}

    wait_until(lambda: shown() == new.held(), seconds=20, what="The informer does not see what is there")
    new.core.create_namespaced_config_map(NAMESPACE, config_map(f"{writer.prefix}-after", {"n": "1"}))
    wait_until(lambda: shown() == new.held(), seconds=20, what="The informer does not see what comes after")
    there_now = new.data()
    wait_until(lambda: get.seen == there_now, seconds=20, what="kubectl misses something")
    ended = next(each for each in get.ends if each > switched) - switched
    assert ended < WATCH_ENDS_SECONDS
    tell(
        f"moved by hand ({'apart' if advance else 'overlapping'} versions {foreign} and {first}): last write"
        f" {max(0.0, last - frozen + 1):.2f} s after the freeze, first {again:.2f} s after the switch;"
        f" kubectl's watch ended after {ended:.2f} s; {len(writer.strange)} writes of unknown end"
    )


@dataclass(frozen=True)
class Raw:
    """Requests whose answers are looked at as they are."""

    core: client.CoreV1Api

    def __call__(self, query: str) -> urllib3.BaseHTTPResponse:
        api = self.core.api_client
        keys = api.configuration.api_key
        headers = {"Accept": "application/json", "Authorization": keys.get("authorization") or keys["BearerToken"]}
        url = f"{api.configuration.host}/api/v1/namespaces/{NAMESPACE}/configmaps?{query}"
        answer: urllib3.BaseHTTPResponse = api.rest_client.pool_manager.request("GET", url, headers=headers, timeout=15)
        return answer


def versions(at: int, token: str) -> dict[str, str]:
    """Queries that go on from this version, by what they are."""
    said = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    continued = base64.urlsafe_b64encode(json.dumps({**said, "rv": at}).encode()).decode().rstrip("=")
    return {
        "watch": f"watch=1&timeoutSeconds=1&resourceVersion={at}",
        "list": f"resourceVersion={at}",
        "exact": f"resourceVersion={at}&resourceVersionMatch=Exact",
        "continue": f"limit=1&continue={continued}",
    }


@pytest.fixture
def token(scene: Scene) -> str:
    """Of a list that goes on."""
    for place in (scene.here, scene.there):
        for name in ("one", "two"):
            with suppress(client.ApiException):  # it is there
                place.core.create_namespaced_config_map(NAMESPACE, config_map(name))
    listed: Any = scene.active().core.list_namespaced_config_map(NAMESPACE, limit=1)
    return str(listed.metadata._continue)


def expired(answer: urllib3.BaseHTTPResponse, *, watch: bool) -> bool:
    said = json.loads(answer.data or b"{}")
    if watch:
        return answer.status == 200 and said.get("type") == "ERROR" and _is_expired(said["object"])
    return answer.status == 410 and _is_expired(said)


def _is_expired(status: Json) -> bool:
    return (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")


def test_an_api_server_alone_would_serve_versions_of_another_one_or_say_nothing(scene: Scene, token: str) -> None:
    """Why the gateway has to help; and how an API server tells a watch, which is how the gateway tells it."""
    place = scene.active()
    ask, later = Raw(place.core), place.revision() + 100_000
    old = {what: ask(query) for what, query in versions(1, token).items()}
    assert expired(old["watch"], watch=True)
    assert old["list"].status == 200
    for what in ("exact", "continue"):
        # five minutes after a version the server may have forgotten it, and says so
        assert old[what].status == 410 or json.loads(old[what].data)["items"] == [], "as if that were all"
    new = {what: ask(query) for what, query in versions(later, token).items()}
    assert (new["watch"].status, new["watch"].data) == (200, b""), "it waits for what comes after"
    assert [new[what].status for what in ("list", "exact", "continue")] == [504, 504, 504]


def test_after_a_move_what_goes_on_from_a_version_of_before_is_told_to_list_anew(scene: Scene, token: str) -> None:
    place, move = scene.active(), scene.move
    ask, now = Raw(scene.core()), place.revision()
    first, foreign = now, now + 100_000
    move.came(place, foreign=foreign, first=first)
    wait_until(lambda: ask(f"resourceVersion={foreign}").status == 410, seconds=10, what="The gateway does not know")
    old = {what: ask(query) for what, query in versions(first - 1, token).items()}
    assert expired(old["watch"], watch=True)
    assert expired(old["exact"], watch=False)
    assert expired(old["continue"], watch=False)
    assert old["list"].status == 200, "what is there is newer"
    later = {what: ask(query) for what, query in versions(foreign - 5, token).items()}
    for what, answer in later.items():
        assert expired(answer, watch=what == "watch"), what
    listed: Any = scene.core().list_namespaced_config_map(NAMESPACE)
    own = ask(f"watch=1&timeoutSeconds=1&resourceVersion={listed.metadata.resource_version}")
    assert own.status == 200
    assert b"ERROR" not in own.data
    beyond = ask(f"watch=1&timeoutSeconds=1&resourceVersion={foreign + GIVEN_OUT_LATER + 1}")
    assert (beyond.status, beyond.data) == (200, b""), "not one of before"
