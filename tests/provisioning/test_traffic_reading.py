"""Web traffic is a signal of use where a host tells of it: read by its own API, compared with the reading before."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from accounts.services.audit import Actor
from clusters.connection import HostConnection
from clusters.host_roles import manifest_render
from clusters.lifecycle.deciding import ClusterFacts, consent_needed
from clusters.lifecycle.ingress_metrics import IngressMetrics
from clusters.lifecycle.signal import Signal, SignalKind, SignalState
from clusters.lifecycle.signals import signals_of
from clusters.models import HostCluster, Placement, TrafficReading, VirtualCluster, VirtualClusterPhase
from clusters.services.hosts import host_update
from clusters.services.traffic import beside_note
from provisioning.drivers.clients import Clients
from provisioning.drivers.kinds import INGRESS, ROLE, SERVICE
from provisioning.drivers.kinds import NAMESPACE as HOME
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from provisioning.survey import host_survey
from provisioning.traffic_reading import beside_read, traffic_note
from tests.accounts.conftest import world_make
from tests.clusters.making import ready_row
from tests.fakes.host import FakeHost
from tests.provisioning.hosts import fresh, host_at

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
ROUND = timedelta(minutes=10)
NAMESPACE, PORT = "ingress-nginx", "controller-metrics:10254"
WHERE = f"{NAMESPACE}/{PORT}"
SOMEBODY = Actor(user=None, name="test")


def after(rounds: float) -> datetime:
    return START + rounds * ROUND


class Controller:
    """A pod of ingress-nginx: it counts requests by namespace, and forgets them when it begins anew."""

    def __init__(self, name: str = "controller-a", **requests: int) -> None:
        self.name, self.started = name, 1.0
        self.requests: dict[str, int] = {f"marina-{key}": value for key, value in requests.items()}
        self.requests.setdefault("kube-system", 1)

    def come(self, name: str, count: int) -> None:
        self.requests[f"marina-{name}"] = self.requests.get(f"marina-{name}", 0) + count

    def begin_anew(self, **requests: int) -> None:
        self.__init__(self.name, **requests)  # type: ignore[misc]

    def __call__(self) -> str:
        lines = [
            "# TYPE nginx_ingress_controller_requests counter",
            *(
                f'nginx_ingress_controller_requests{{controller_pod="{self.name}",host="x",ingress="web",'
                f'namespace="{namespace}",path="/",service="web",status="200"}} {count}'
                for namespace, count in self.requests.items()
            ),
            f'nginx_ingress_controller_nginx_process_connections{{controller_pod="{self.name}"}} 1',
            'nginx_ingress_controller_request_size_count{controller_pod="x",namespace="marina-hello"} NaN',
        ]
        return "\n".join(lines) + "\n"


@pytest.fixture
def world(settings):
    settings.CHANGE_SURVEY_SECONDS = ROUND.total_seconds()
    return world_make()


@pytest.fixture
def fake(certificates) -> Iterator[FakeHost]:
    with FakeHost(certificates) as started:
        yield started


@pytest.fixture
def marina(fake) -> HostConnection:
    """By what the manifest gives her and nothing else."""
    with connection_open(fake.connection, target="host of the test") as api:
        kube = KubeClient(api)
        for name in ("marina-system", NAMESPACE):
            kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        text = manifest_render(mode="cluster", traffic=IngressMetrics(service=WHERE))
        for document in yaml.safe_load_all(text):
            kube.apply(document)
        token, _ = kube.token_request("marina-system", "marina", 3600)
    return HostConnection(server=fake.connection.server, ca_pem=fake.connection.ca_pem, token=token)


@pytest.fixture
def host(world, marina) -> HostCluster:
    made = host_at(marina)
    host_update(host=made, actor=SOMEBODY, ingress_metrics={"service": WHERE})
    return fresh(made)


@pytest.fixture
def cluster(world, host) -> VirtualCluster:
    return placed(world, host, "hello")


def placed(world, host: HostCluster, name: str) -> VirtualCluster:
    made = ready_row(world, host, name)
    beside_note(placement=Placement.objects.get(virtual_cluster=made), beside=[])
    return made


@pytest.fixture
def controller(fake) -> Controller:
    one = Controller(hello=7)
    fake.expositions.serve(NAMESPACE, PORT, one)
    return one


@pytest.fixture
def survey(host) -> Callable[[float], None]:
    clients = Clients()

    def look(rounds: float) -> None:
        told = fresh(host)
        traffic_note(told, kube=clients.kube(told, lambda: None), now=after(rounds))

    return look


def signal(cluster: VirtualCluster, rounds: float = 0) -> Signal:
    row = VirtualCluster.objects.get(pk=cluster.pk)
    return {each.kind: each for each in signals_of([row], now=after(rounds))[row.pk]}[SignalKind.INGRESS]


# --- what readings say ------------------------------------------------------------------------------------------------


def test_the_first_reading_tells_nothing_and_what_nobody_watched_before_counts_as_use(cluster, controller, survey):
    assert signal(cluster).state == SignalState.UNKNOWN
    survey(0)
    told = signal(cluster)
    assert (told.state, told.observed_at) == (SignalState.UNKNOWN, None)
    assert (told.last_used_at, told.who) == (START, "nobody read the traffic before")
    survey(1)
    told = signal(cluster, 1)
    assert (told.state, told.observed_at, told.last_used_at) == (SignalState.KNOWN, after(1), START)


def test_requests_that_came_since_the_reading_before_are_use_of_their_cluster_alone(
    world, host, cluster, controller, survey
):
    other = placed(world, host, "other")
    survey(0)
    controller.come("hello", 12)
    survey(1)
    told = signal(cluster)
    assert (told.last_used_at, told.who) == (after(1), "12 requests through its ingresses")
    assert (signal(other).last_used_at, signal(other).observed_at) == (START, after(1))
    survey(2)
    assert (signal(cluster).last_used_at, signal(cluster).observed_at) == (after(1), after(2))


def test_the_first_request_that_ever_comes_is_use(world, host, controller, survey):
    quiet = placed(world, host, "quiet")
    survey(0)
    controller.come("quiet", 1)
    survey(1)
    assert signal(quiet).last_used_at == after(1)


@pytest.mark.parametrize(("since", "used"), [(0, START), (2, after(1))])
def test_a_controller_that_began_anew_says_what_came_since(cluster, controller, survey, since, used):
    survey(0)
    controller.begin_anew(hello=since)
    survey(1)
    assert (signal(cluster).last_used_at, signal(cluster).observed_at) == (used, after(1))


def test_one_that_began_anew_while_nobody_read_it_for_long_may_have_served_somebody(cluster, controller, survey):
    survey(0)
    survey(1)
    controller.begin_anew(hello=0)
    survey(9)
    assert (signal(cluster).last_used_at, signal(cluster).who) == (
        after(9),
        "whoever counts began anew while nobody read it",
    )


def test_what_came_while_marina_was_down_is_told_by_the_next_reading(cluster, controller, survey):
    survey(0)
    survey(1)
    controller.come("hello", 3)
    survey(600)
    assert signal(cluster).last_used_at == after(600)


def test_each_pod_of_the_controller_is_read_however_the_host_picks_them(cluster, fake, survey):
    pods = [Controller(f"controller-{letter}", hello=100 * number) for number, letter in enumerate("abc")]
    fake.expositions.serve(NAMESPACE, PORT, *pods)
    survey(0)
    survey(1)
    assert signal(cluster).last_used_at == START
    pods[0].come("hello", 1)  # one that had never seen it
    survey(2)
    assert (signal(cluster).last_used_at, signal(cluster).who) == (after(2), "1 requests through its ingresses")
    fake.expositions.serve(NAMESPACE, PORT, *pods[:2])
    survey(3)
    assert (signal(cluster).last_used_at, signal(cluster).observed_at) == (after(2), after(3))


def test_visits_while_it_sleeps_are_use_too(cluster, controller, survey):
    survey(0)
    survey(1)
    VirtualCluster.objects.update(phase=VirtualClusterPhase.ASLEEP, asleep_since=after(1))
    controller.come("hello", 4)
    survey(2)
    assert signal(cluster, 3).last_used_at == after(2)
    assert signal(cluster, 3).observed_at == after(3)


# --- what cannot be read is unknown -----------------------------------------------------------------------------------


def _nobody(fake: FakeHost) -> None:
    fake.expositions.serve(NAMESPACE, PORT)


def _one_of_two_hides(fake: FakeHost) -> None:
    one = Controller(hello=7)
    fake.expositions.serve(NAMESPACE, PORT, one, one)


def _no_names(fake: FakeHost) -> None:
    text = 'nginx_ingress_controller_requests{namespace="marina-hello"} 1\n'
    fake.expositions.serve(NAMESPACE, PORT, lambda: text, lambda: text)


def _says(text: str) -> Callable[[FakeHost], None]:
    return lambda fake: fake.expositions.serve(NAMESPACE, PORT, lambda: text)


def _forbids(fake: FakeHost) -> None:
    fake.expositions.serve(NAMESPACE, PORT, Controller(hello=7))
    with connection_open(fake.connection, target="host of the test") as api:
        KubeClient(api).delete(ROLE, "marina-traffic", NAMESPACE)


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (_nobody, "No pod behind ingress-nginx/controller-metrics:10254 is ready."),
        (_one_of_two_hides, "Of 2 pods behind"),
        (_no_names, "cannot be told apart"),
        (_says(""), "tells nothing of nginx_ingress_controller_requests"),
        (_says("<html>404</html>"), "tells nothing of nginx_ingress_controller_requests"),
        (_says('nginx_ingress_controller_requests{path="/"} 3\n'), "has no label exported_namespace or namespace"),
        (_says('nginx_ingress_controller_requests{namespace="marina-hello"} many\n'), "is not written in Prometheus'"),
        (_says('nginx_ingress_controller_requests{namespace="marina-hel'), "is not written in Prometheus'"),
        (_forbids, "Apply the manifest of its permissions anew"),
    ],
)
def test_what_cannot_be_read_is_unknown_with_its_reason_and_what_was_known_stays(
    cluster, fake, controller, survey, trouble, told
):
    survey(0)
    controller.come("hello", 5)
    survey(1)
    trouble(fake)
    survey(2)
    found = signal(cluster)
    assert (found.state, found.last_used_at, found.observed_at) == (SignalState.UNKNOWN, after(1), after(1))
    assert told in found.reason
    assert TrafficReading.objects.get().read_at == after(1)


def test_a_host_without_an_answer_is_unknown_and_its_survey_goes_on(host, cluster, controller, fake, survey):
    del fake.expositions.pods[NAMESPACE, PORT]
    told = fresh(host)
    host_survey(told, clients=Clients(), now=START)
    assert signal(cluster).state == SignalState.UNKNOWN
    assert fresh(host).capacity["nodes"] == 1


def test_an_answer_without_end_is_refused(fake, host):
    fake.expositions.serve(NAMESPACE, PORT, lambda: "x" * 5000)
    kube = Clients().kube(fresh(host), lambda: None)
    assert len(kube.service_read(PORT, NAMESPACE, "/metrics")) == 5000
    with pytest.raises(Exception, match="longer than 4999 bytes"):
        kube.service_read(PORT, NAMESPACE, "/metrics", most=4999)


def test_it_is_read_as_often_as_changes_are_and_a_new_cluster_at_once(world, host, cluster, controller, fake, survey):
    for rounds in (0, 0.5, 0.9):
        survey(rounds)
    assert len(fake.expositions.asked) == 1
    placed(world, host, "new")
    survey(0.95)
    assert len(fake.expositions.asked) == 2


def test_the_rights_are_for_this_one_port(fake, marina, host):
    fake.expositions.serve(NAMESPACE, "other:80", Controller())
    kube = Clients().kube(fresh(host), lambda: None)
    with pytest.raises(Exception, match="forbidden"):
        kube.service_read("other:80", NAMESPACE, "/metrics")


def test_all_clusters_of_a_host_are_written_by_a_fixed_number_of_statements(
    world, host, fake, survey, django_assert_max_num_queries
):
    for number in range(30):
        placed(world, host, f"c-{number}")
    fake.expositions.serve(
        NAMESPACE, PORT, Controller("controller-a", **{f"c-{number}": number for number in range(30)})
    )
    for rounds in (0, 1):
        with django_assert_max_num_queries(9):
            survey(rounds)


# --- ways beside the controller ---------------------------------------------------------------------------------------


def _service(name: str, **spec: Any) -> dict[str, Any]:
    labels = {"vcluster.loft.sh/managed-by": "hello"}
    return {"metadata": {"name": name, "namespace": "marina-hello", "labels": labels}, "spec": spec}


@pytest.mark.parametrize(
    ("kind", "manifest", "told"),
    [
        (SERVICE, _service("web", type="ClusterIP"), ""),
        (SERVICE, _service("web", type="LoadBalancer"), "the Service web"),
        (SERVICE, _service("web", type="NodePort"), "the Service web"),
        (SERVICE, _service("web", type="ClusterIP", externalIPs=["192.0.2.1"]), "the Service web"),
        (INGRESS, _service("web", ingressClassName="nginx"), ""),
        (INGRESS, _service("web", ingressClassName="other"), "the Ingress web"),
    ],
)
def test_what_is_reached_beside_the_controller_is_not_known(
    host, cluster, controller, survey, fake, kind, manifest, told
):
    where = {"service": WHERE, "ingress_class": "nginx"}
    host_update(host=host, actor=SOMEBODY, ingress_metrics=where)
    fake.cluster.make(HOME, "marina-hello")
    fake.cluster.make(kind, "web", metadata=manifest["metadata"], spec=manifest["spec"])
    placement = Placement.objects.select_related("host").get(virtual_cluster=cluster)
    with connection_open(fake.connection, target="host of the test") as api:
        beside_read(placement, kube=KubeClient(api))
    survey(0)
    controller.come("hello", 2)
    survey(1)
    found = signal(cluster)
    assert found.last_used_at == after(1)
    assert (found.state == SignalState.UNKNOWN) == bool(told)
    assert told in found.reason


def test_until_somebody_looked_for_such_ways_it_is_unknown(host, cluster, controller, survey):
    TrafficReading.objects.all().delete()
    survey(0)
    survey(1)
    assert signal(cluster).state == SignalState.UNKNOWN
    assert "beside" in signal(cluster).reason


# --- who says otherwise -----------------------------------------------------------------------------------------------


def test_another_place_to_read_from_begins_anew_and_none_is_no_signal(host, cluster, controller, survey):
    survey(0)
    controller.come("hello", 1)
    survey(1)
    where = {"service": WHERE, "metric": "nginx_ingress_controller_requests_count"}
    host_update(host=host, actor=SOMEBODY, ingress_metrics=where)
    assert (signal(cluster).state, TrafficReading.objects.count()) == (SignalState.UNKNOWN, 0)
    host_update(host=host, actor=SOMEBODY, ingress_metrics={})
    found = signal(cluster)
    assert (found.state, found.last_used_at) == (SignalState.UNSUPPORTED, after(1))
    survey(2)
    assert signal(cluster).state == SignalState.UNSUPPORTED


def test_saying_the_same_again_forgets_nothing(host, cluster, controller, survey):
    survey(0)
    host_update(host=host, actor=SOMEBODY, ingress_metrics={"service": WHERE}, cordoned=True)
    host_update(host=host, actor=SOMEBODY, cordoned=False)
    assert TrafficReading.objects.get().read_at == START


# --- what it is for ---------------------------------------------------------------------------------------------------


def test_a_demo_whose_traffic_is_seen_needs_no_yes_of_its_owner_and_one_whose_is_not_does(
    fake, cluster, controller, survey
):
    def needed(rounds: float) -> bool:
        row = VirtualCluster.objects.get(pk=cluster.pk)
        signals = signals_of([row], now=after(rounds))[row.pk]
        facts = ClusterFacts(phase=row.phase, created_at=START, signals=signals, serving=True)
        return consent_needed(facts, None, after(rounds))

    assert needed(0)
    survey(0)
    assert needed(0)
    survey(1)
    assert not needed(1)
    _nobody(fake)
    survey(2)
    assert needed(2)
    fake.expositions.serve(NAMESPACE, PORT, controller)
    survey(3)
    assert not needed(3)
    assert needed(3 + 6 * 7)  # nobody looked for seven hours
