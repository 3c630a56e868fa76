"""A cluster of 500 objects moves to another host and back, while somebody writes to it and an operator acts in it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from kubernetes import client, config

from dev.stack import Stack
from dev.waiting import wait_until
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from provisioning.exports.digests import differing_paths
from tests.commands import Kubectl, Marina
from tests.conftest import TestHost
from tests.e2e.api import Api, Json
from tests.e2e.belongings import belongings
from tests.e2e.gate import Gate
from tests.e2e.operators import GADGET, SPACE, Customer, Operator, Place, operator_manifests
from tests.e2e.owning import Owning
from tests.e2e.writers import NAMESPACE, Writer
from tests.provisioning.drivers.conftest import connection_of

pytestmark = [pytest.mark.localkube, pytest.mark.timeout(600)]

NAME = "wanderer"
NAMESPACES, FILLING, GADGETS = 20, 15, 10
FREEZE_SECONDS, FLOW_SECONDS = 10.0, 60.0
CHOICES = (
    *("--volumes", "recreate-empty", "--jobs", "restart", "--pods", "recreate", "--outside", "proceed"),
    *("--node-ports", "renumber", "--addresses", "keep", "--names", "proceed", "--tokens", "reissue"),
)


@dataclass
class Moved:
    """One move: the operation, and what the writer and the customer met meanwhile."""

    operation: Json
    writer: Writer
    customer: Customer
    seconds: float


@pytest.fixture(scope="module")
def cluster(developer: Api, hosts: list[TestHost], project: str) -> Iterator[Json]:
    developer.ended(developer.create(NAME, project=project, host=hosts[0].name), seconds=240)
    yield developer.cluster(NAME)
    developer.ended(developer.delete(NAME), seconds=240)


@pytest.fixture(scope="module")
def direct(cluster: Json, inside_of: Callable[[str], Kubectl]) -> Iterator[KubeClient]:
    """Its API where it was made, as its cluster-admin, past the gateway."""
    with connection_open(connection_of(inside_of(NAME).kubeconfig), target="virtual cluster") as api:
        yield KubeClient(api)


@pytest.fixture(scope="module")
def kubeconfig(stack: Stack, developer: Api, cluster: Json, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Gate.of(stack).kubeconfig(tmp_path_factory.mktemp("gate"), cluster, developer.token)


@pytest.fixture(scope="module")
def core(kubeconfig: Path) -> client.CoreV1Api:
    """Through the gateway; it repeats nothing by itself."""
    how = client.Configuration()
    config.load_kube_config(str(kubeconfig), client_configuration=how)
    how.retries = False
    return client.CoreV1Api(client.ApiClient(how))


@pytest.fixture(scope="module")
def belonging(direct: KubeClient, core: client.CoreV1Api) -> list[Json]:
    """What is in it, as it was made."""
    owned = belongings(namespaces=NAMESPACES, filling=FILLING)
    Owning(direct).make(owned)
    Owning(direct).make(operator_manifests(GADGETS))
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=NAMESPACE)))
    return owned


@pytest.fixture(scope="module")
def operator(cluster: Json, hosts: list[TestHost], belonging: list[Json]) -> Iterator[Operator]:
    """At work all the while; it has made one thing for each of its objects."""
    where = cluster["placement"]
    with ExitStack() as until_the_end:
        places = {
            host.name: Place(
                KubeClient(
                    until_the_end.enter_context(connection_open(connection_of(host.kubeconfig), target=host.name))
                ),
                where["namespace"],
                where["release"],
            )
            for host in hosts[:2]
        }
        operator = until_the_end.enter_context(Operator(places).operating())
        wait_until(lambda: len(operator.made) == GADGETS, seconds=60, what="the operator does not act")
        yield operator


@dataclass
class Moves:
    """There and back again, each with what was there before and after."""

    there: Moved
    back: Moved
    before: list[Json]
    after: list[Json]
    after_back: list[Json]
    held: dict[str, str]
    later: dict[str, str]


@pytest.fixture(scope="module")
def moves(
    mover: Marina,
    developer: Api,
    core: client.CoreV1Api,
    hosts: list[TestHost],
    belonging: list[Json],
    operator: Operator,
    direct: KubeClient,
    inside_of: Callable[[str], Kubectl],
    project: str,
) -> Moves:
    before = Owning(direct).exported(belonging)
    there = moved(mover, developer, core, project, "--to", hosts[1].name)
    held = there.writer.there()
    with client_of(inside_of(NAME)) as kube:
        after = Owning(kube).exported(belonging)
    back = moved(mover, developer, core, project, "--back")
    with client_of(inside_of(NAME)) as kube:
        after_back = Owning(kube).exported(belonging)
    return Moves(there, back, before, after, after_back, held, back.writer.there())


@contextmanager
def client_of(inside: Kubectl) -> Iterator[KubeClient]:
    with connection_open(connection_of(inside.kubeconfig), target="virtual cluster") as api:
        yield KubeClient(api)


def moved(mover: Marina, developer: Api, core: client.CoreV1Api, project: str, *options: str) -> Moved:
    """By the command, while somebody writes, and somebody asks for what the operator makes."""
    way = options[0].strip("-")
    asking = Customer(client.CustomObjectsApi(core.api_client), way).asking()
    with Writer(core, way).writing() as writer, asking as customer:
        wait_until(lambda: len(writer.accepted) > 20, seconds=30, what="nothing is written")
        told = mover("migrate", NAME, "--project", project, *options, *CHOICES, "--yes", "-o", "json").json
        written = len(writer.accepted)
        wait_until(lambda: len(writer.accepted) > written + 20, seconds=30, what="nothing is written any more")
    operation = developer.operation(told)
    begun, ended = (datetime.fromisoformat(operation[each]) for each in ("started_at", "finished_at"))
    return Moved(operation, writer, customer, (ended - begun).total_seconds())


def test_before_it_moves_its_operator_acts_where_it_was_made(operator: Operator, hosts: list[TestHost]) -> None:
    assert operator.ran_in == {hosts[0].name}
    assert list(operator.made.values()) == [1] * GADGETS


@pytest.mark.alone  # and before all that follow, so that the moves are made in it
def test_it_is_frozen_for_less_than_ten_seconds_and_moved_in_less_than_a_minute(
    moves: Moves, tell: Callable[[str], None]
) -> None:
    for what, one in (("there", moves.there), ("back", moves.back)):
        tell(f"moved {what}: frozen for {one.writer.frozen_for:.1f} s, {one.seconds:.1f} s in all")
        assert one.writer.frozen_for < FREEZE_SECONDS
        assert one.seconds < FLOW_SECONDS
        assert len(one.writer.refused) > 0
        assert all("is being moved to" in said for said in one.writer.said), one.writer.said


def test_every_object_is_there_and_the_same_there_and_back_again(moves: Moves) -> None:
    assert len(moves.before) > 500
    for after in (moves.after, moves.after_back):
        pairs = zip(moves.before, after, strict=True)
        differing = [(old["kind"], old["metadata"]["name"], differing_paths(old, new)) for old, new in pairs]
        assert not [each for each in differing if each[2]]


def test_what_was_acknowledged_is_there_and_nothing_else(moves: Moves) -> None:
    """The writer's log against the target, in both directions."""
    for moved_once, there in ((moves.there, moves.held), (moves.back, moves.later)):
        writer = moved_once.writer
        known = {name: value for name, value in writer.held.items() if name not in writer.unknown}
        assert there == known
        assert not writer.strange
        assert len(writer.accepted) > 40


def test_an_operator_never_acts_in_two_places_and_makes_nothing_twice(
    moves: Moves, operator: Operator, hosts: list[TestHost], inside_of: Callable[[str], Kubectl]
) -> None:
    wait_until(
        lambda: operator.places[hosts[0].name].runs(),
        seconds=60,
        what="the operator does not run where it came back to",
    )
    assert operator.ran_in == {host.name for host in hosts[:2]}
    assert operator.at_once == []
    with client_of(inside_of(NAME)) as kube:
        there = {each["metadata"]["name"] for each in kube.list(GADGET, SPACE)}
    wait_until(lambda: operator.made.keys() >= there, seconds=60, what="the operator does not make all of them")
    assert operator.made == dict.fromkeys(there, 1)
    for customer in (moves.there.customer, moves.back.customer):
        assert customer.strange == []
        assert len(customer.got) > GADGETS
        assert customer.refused, "none was asked for in the freeze"
        assert there >= set(customer.got)
        assert not there & set(customer.refused)


def test_it_tells_where_it_is_and_where_it_came_from(moves: Moves, developer: Api, hosts: list[TestHost]) -> None:
    cluster = developer.cluster(NAME)
    assert (cluster["phase"], cluster["placement"]["host"]["name"]) == ("Ready", hosts[0].name)
    conditions = {each["type"]: each for each in cluster["conditions"]}
    assert conditions["Moved"]["status"] == "True"
    detail = developer.get(f"/virtual-clusters/{cluster['id']}")
    assert [each["host"]["name"] for each in detail["retained"]] == [hosts[1].name]


def test_what_it_left_sleeps_on_its_host(moves: Moves, cluster: Json, hosts: list[TestHost]) -> None:
    where = cluster["placement"]
    assert hosts[1].kubectl.get("pods", "-n", where["namespace"]) == []
    plane = hosts[1].kubectl.get("statefulset", where["release"], "-n", where["namespace"])
    assert plane["metadata"]["annotations"]["loft.sh/paused"] == "true"
