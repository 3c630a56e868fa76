"""A host is lost with ten clusters: all are back on another one, and nothing runs twice once the first is back."""

import base64
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from clusters.connection import HostConnection
from dev.waiting import wait_until
from localkube import LocalHost, Tools
from provisioning.drivers.kinds import CONFIG_MAP, DEPLOYMENT, NAMESPACE
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from tests.commands import Kubectl, Marina
from tests.e2e.api import Api, Json
from tests.e2e.foreign import Helm
from tests.e2e.tcp_gate import TcpGate

pytestmark = pytest.mark.localkube

CLUSTERS = 10
DOOMED, REFUGE = "doomed", "refuge"
LABELS = {"e2e": "lost-host"}


@dataclass(frozen=True)
class Sides:
    """Two hosts, of which the first is reached by a gate."""

    gate: TcpGate
    east: Kubectl
    west: Kubectl
    helm: Helm


@pytest.fixture(scope="module")
def sides(local_hosts: Mapping[str, LocalHost], tools: Tools, staff: Api, run_folder: Path) -> Iterator[Sides]:
    east, west = local_hosts["harbor-east"], local_hosts["harbor-west"]
    document = yaml.safe_load(east.kubeconfig.read_text())
    address = urlsplit(document["clusters"][0]["cluster"]["server"])
    assert address.hostname
    assert address.port
    with TcpGate(address.hostname, address.port) as gate:
        document["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{gate.port}"
        for name, text in ((DOOMED, yaml.safe_dump(document)), (REFUGE, west.kubeconfig.read_text())):
            staff.ended(staff.connect(name, text, exposure="Local", labels=LABELS), seconds=120)
        kubectl = Kubectl(tools.kubectl, east.kubeconfig), Kubectl(tools.kubectl, west.kubeconfig)
        yield Sides(gate, *kubectl, Helm(tools.helm, east.kubeconfig))


@pytest.fixture(scope="module")
def foreign(sides: Sides) -> str:
    """A namespace with a vcluster release of somebody else's; the release is called the same."""
    name = f"somebodys-{secrets.token_hex(3)}"
    sides.east("create", "namespace", name)
    sides.east("create", "configmap", "theirs", "-n", name)
    sides.helm.install(name, name, {"telemetry": {"enabled": False}})
    return name


@pytest.fixture(scope="module")
def made(sides: Sides, developer: Api, project: str) -> Iterator[dict[str, Json]]:
    """Ten small clusters, each with a Deployment and something of its own."""
    names = [f"lost-{number}" for number in range(CLUSTERS)]
    begun = [developer.create(name, project=project, host=DOOMED, spec={"host_labels": LABELS}) for name in names]
    for operation in begun:
        developer.ended(operation, seconds=240)
    found = {name: developer.cluster(name) for name in names}
    for name, cluster in found.items():
        furnish(inside(sides.east, cluster["placement"]), name)
    yield found
    for operation in [developer.delete(name) for name in names]:
        developer.ended(operation, seconds=240)


def inside(kubectl: Kubectl, placement: Json) -> HostConnection:
    """The virtual API, by the secret that vcluster leaves on the host."""
    where = ("-n", placement["namespace"])
    data = kubectl.get("secret", f"vc-{placement['release']}", *where)["data"]
    held = {key: base64.b64decode(value).decode() for key, value in data.items()}
    return HostConnection(
        server=placement["endpoint"],
        ca_pem=held["certificate-authority"],
        client_certificate_pem=held["client-certificate"],
        client_key_pem=held["client-key"],
    )


def furnish(connection: HostConnection, name: str) -> None:
    labels, pod = {"app": "web"}, {"containers": [{"name": "main", "image": "web:1"}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    with connection_open(connection, target="virtual cluster") as api:
        kube = KubeClient(api)
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        mine = {"name": "mine", "namespace": "shop"}
        kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": mine, "data": {"name": name}})
        web = {"name": "web", "namespace": "shop"}
        kube.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": web, "spec": spec})


def pods(kubectl: Kubectl, placement: Json) -> list[str]:
    """Of a cluster on a host: control plane and what is synced."""
    return [each["metadata"]["name"] for each in kubectl.get("pods", "-n", placement["namespace"])]


def webs(kubectl: Kubectl, placement: Json) -> int:
    return sum(name.startswith("web-") for name in pods(kubectl, placement))


@pytest.fixture(scope="module")
def exported(made: dict[str, Json], developer: Api) -> None:
    asked = [developer("POST", f"/virtual-clusters/{each['id']}/exports", status=202) for each in made.values()]
    for answer in asked:
        developer.ended(answer["operation"], seconds=120)


@pytest.fixture(scope="module")
def lost(sides: Sides, made: dict[str, Json], exported: None, foreign: str, staff: Api, platform: Marina) -> Json:
    """Shown first, then said."""
    sides.gate.shut()
    wait_until(lambda: staff.host(DOOMED)["breaker"]["state"] == "open", seconds=60, what="Nobody saw its silence")
    shown = platform("host", "lost", DOOMED, "--dry-run", "-o", "json").json
    assert {each["name"] for each in shown["clusters"]} == made.keys()
    assert all(each["export"] and each["to"] == REFUGE for each in shown["clusters"])
    said: Json = platform("host", "lost", DOOMED, "--yes", "--reason", "Its gate is shut.", "-o", "json").json
    return said


@pytest.fixture(scope="module")
def back(lost: Json, made: dict[str, Json], developer: Api) -> dict[str, Json]:
    """As they are once all were made again."""
    for each in lost["clusters"]:
        developer.ended({"id": each["operation"], "kind": "recover"}, seconds=240)
    return {name: developer.cluster(name) for name in made}


def test_all_are_back_on_the_other_host_with_their_objects(
    back: dict[str, Json], lost: Json, sides: Sides, developer: Api, tell: Callable[[str], None]
) -> None:
    ended = [developer.get(f"/operations/{each['operation']}") for each in lost["clusters"]]
    begun = min(datetime.fromisoformat(each["created_at"]) for each in ended)
    took = max(datetime.fromisoformat(each["finished_at"]) for each in ended) - begun
    tell(f"{CLUSTERS} clusters of a lost host are back after {took.total_seconds():.1f} s")
    for name, cluster in back.items():
        assert (cluster["phase"], cluster["placement"]["host"]["name"]) == ("Ready", REFUGE)
        with connection_open(inside(sides.west, cluster["placement"]), target="virtual cluster") as api:
            kube = KubeClient(api)
            found = kube.get(CONFIG_MAP, "mine", "shop")
            assert found, f"{name} is not as it was"
            assert found["data"] == {"name": name}
            assert kube.get(DEPLOYMENT, "web", "shop")
            assert kube.get(NAMESPACE, "shop")


def test_nothing_runs_twice_once_the_host_is_back(
    back: dict[str, Json], made: dict[str, Json], sides: Sides, foreign: str, staff: Api, platform: Marina
) -> None:
    before = [made[name]["placement"] for name in made]
    assert any(pods(sides.east, each) for each in before), "they went on there, unseen"
    theirs = sides.east.get("statefulset,configmap,secret", "-n", foreign)
    sides.gate.open()
    wait_until(lambda: not any(pods(sides.east, each) for each in before), seconds=120, what="Some run on")
    for each in before:
        plane = sides.east.get("statefulset", each["release"], "-n", each["namespace"])
        assert plane["spec"]["replicas"] == 0, "its state is kept, and nothing of it runs"
    now = [cluster["placement"] for cluster in back.values()]
    wait_until(lambda: {webs(sides.west, each) for each in now} == {1}, seconds=60, what="Some workload does not run")
    after = sides.east.get("statefulset,configmap,secret", "-n", foreign)
    assert [each["metadata"]["uid"] for each in after] == [each["metadata"]["uid"] for each in theirs]
    assert sides.east.get("statefulset", foreign, "-n", foreign)["spec"]["replicas"] == 1
    wait_until(lambda: staff.host(DOOMED)["breaker"]["state"] == "closed", seconds=60, what="It is not seen to answer")
    platform("host", "found", DOOMED)
    host = staff.host(DOOMED)
    assert (host["lost_at"], host["cordoned"]) == (None, True)


def test_what_is_kept_there_counts_as_nobody_elses(
    back: dict[str, Json], made: dict[str, Json], staff: Api, foreign: str
) -> None:
    def seen() -> set[str]:
        return {each["namespace"] for each in staff.list("/discovered-clusters", host=DOOMED)}

    wait_until(lambda: foreign in seen(), seconds=60, what="The foreign one is not found")
    assert not seen() & {each["placement"]["namespace"] for each in made.values()}
