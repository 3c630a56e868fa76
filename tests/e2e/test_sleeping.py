"""Sleep and wake on a real host: in upstream's own way, either understood from the other, and by use."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.stack import Stack
from dev.waiting import wait_until
from localkube import Tools
from tests.commands import Kubectl, Marina
from tests.conftest import TestHost
from tests.e2e.api import Api, Json
from tests.e2e.foreign import helm_of, pause
from tests.e2e.gate import Gate

NAME = "sleepy"
LONE = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "lone", "namespace": "shop"},
    "spec": {"containers": [{"name": "main", "image": "lone:1"}]},
}


@pytest.fixture(scope="module")
def made(home: TestHost, developer: Api, project: str, inside_of: Callable[[str], Kubectl]) -> Iterator[Json]:
    """With a Deployment of two pods in it."""
    developer.ended(developer.create(NAME, project=project, host=home.name), seconds=240)
    inside = inside_of(NAME)
    inside("create", "namespace", "shop")
    inside("create", "deployment", "web", "--image", "web:1", "--replicas", "2", "-n", "shop")
    inside("wait", "--for=condition=Available", "deployment/web", "-n", "shop", "--timeout=120s")
    yield developer.cluster(NAME)
    developer.ended(developer.delete(NAME), seconds=240)


@pytest.fixture(scope="module")
def where(made: Json) -> Json:
    placement: Json = made["placement"]
    return placement


def work(api: Api, verb: str, body: Json | None = None, *, status: int = 202) -> Json:
    """Asks for it; the operation."""
    operation: Json = api("POST", f"/virtual-clusters/{api.cluster(NAME)['id']}/{verb}", body, status=status)[
        "operation"
    ]
    return operation


def plane(home: TestHost, where: Json) -> Json:
    found: Json = home.kubectl.get("statefulset", where["release"], "-n", where["namespace"])
    return found


def pods(home: TestHost, where: Json) -> list[str]:
    """Of the cluster, on its host: control plane and workloads."""
    return [each["metadata"]["name"] for each in home.kubectl.get("pods", "-n", where["namespace"])]


def until_phase(api: Api, phase: str) -> None:
    wait_until(lambda: api.cluster(NAME)["phase"] == phase, seconds=60, what=f"It does not become {phase}")


def told(operation: Json) -> str:
    """What its steps say of themselves."""
    return " ".join(step.get("note") or "" for step in operation["steps"])


def test_pods_that_would_not_come_back_are_named_and_keep_it_awake(
    made: Json, developer: Api, marina: Marina, inside_of: Callable[[str], Kubectl]
) -> None:
    inside = inside_of(NAME)
    inside("apply", "-f", "-", stdin=json.dumps(LONE))
    refused = developer.ended(work(developer, "sleep"), as_="Failed")
    assert refused["error"]["code"] == "lone-pods"
    assert "shop/lone" in refused["error"]["message"]
    assert "web-" not in refused["error"]["message"], "their Deployment makes them again"
    assert developer.cluster(NAME)["phase"] == "Ready"
    inside("get", "pod", "lone", "-n", "shop")
    assert "--lose-pods" in marina("sleep", NAME, "--wait", exit_code=1).stderr
    inside("delete", "pod", "lone", "-n", "shop", "--grace-period=0", "--force")


def test_asleep_nothing_runs_state_is_kept_and_waking_tells_what_is_back(
    made: Json, where: Json, home: TestHost, developer: Api, marina: Marina, inside_of: Callable[[str], Kubectl]
) -> None:
    marina("sleep", NAME, "--wait", "--why", "Closed for the night.")
    cluster = developer.cluster(NAME)
    assert (cluster["phase"], cluster["asleep"]["why"]) == ("Asleep", "Closed for the night.")
    assert cluster["asleep"]["by"] == developer.handle
    assert "put to sleep by" in marina("get", NAME).stdout
    found = plane(home, where)
    marks = found["metadata"]["annotations"]
    assert (found["spec"]["replicas"], marks["loft.sh/paused"], marks["loft.sh/paused-replicas"]) == (0, "true", "1")
    assert pods(home, where) == []
    assert work(developer, "sleep", status=200)["state"] == "Succeeded", "asleep already: nothing is begun"

    woken = developer.ended(work(developer, "wake"), seconds=120)
    assert "Its API answers, " in told(woken)
    assert "3 of 3 workload pods were ready" in told(woken), "with the one of CoreDNS"
    cluster = developer.cluster(NAME)
    assert (cluster["phase"], cluster["asleep"]) == ("Ready", None)
    assert "loft.sh/paused" not in plane(home, where)["metadata"]["annotations"]
    inside = inside_of(NAME)
    inside("wait", "--for=condition=Available", "deployment/web", "-n", "shop", "--timeout=60s")
    assert work(developer, "wake", status=200)["kind"] == "wake", "awake already: nothing is begun"


def test_what_upstream_paused_is_asleep_and_is_woken_by_marina(
    made: Json, where: Json, home: TestHost, developer: Api, marina: Marina
) -> None:
    pause(home.kubectl, where)
    until_phase(developer, "Asleep")
    assert developer.cluster(NAME)["asleep"]["by"] == "somebody on its host"
    marina("wake", NAME, "--wait")
    assert developer.cluster(NAME)["phase"] == "Ready"
    assert plane(home, where)["spec"]["replicas"] == 1


def test_what_marina_put_to_sleep_is_ready_when_upstream_resumed_it(
    made: Json, where: Json, home: TestHost, developer: Api
) -> None:
    developer.ended(work(developer, "sleep"))
    name, namespace = f"statefulset/{where['release']}", where["namespace"]
    home.kubectl(
        "annotate", name, "loft.sh/paused-", "loft.sh/paused-replicas-", "loft.sh/paused-date-", "-n", namespace
    )
    home.kubectl("scale", name, "--replicas=1", "-n", namespace)
    until_phase(developer, "Ready")
    assert developer.cluster(NAME)["asleep"] is None


def test_a_change_of_its_release_leaves_it_asleep_and_is_there_when_it_wakes(
    made: Json, where: Json, home: TestHost, tools: Tools, developer: Api, marina: Marina
) -> None:
    developer.ended(work(developer, "sleep"))
    marina("configure", NAME, "--size", "medium", "--wait")
    assert developer.cluster(NAME)["phase"] == "Asleep"
    values = helm_of(tools, home).values(where["release"], where["namespace"])
    assert values["controlPlane"]["statefulSet"]["highAvailability"]["replicas"] == 0
    assert plane(home, where)["spec"]["replicas"] == 0
    assert pods(home, where) == []
    developer.ended(work(developer, "wake"), seconds=120)
    marina("configure", NAME, "--wait")  # a release that says one replica again meets no conflict
    assert developer.cluster(NAME)["phase"] == "Ready"
    assert plane(home, where)["spec"]["replicas"] == 1


def test_kubectl_through_the_gateway_wakes_it(
    made: Json, stack: Stack, developer: Api, tools: Tools, tmp_path: Path
) -> None:
    developer.ended(work(developer, "sleep"))
    gate = Gate.of(stack)
    kubectl = Kubectl(tools.kubectl, gate.kubeconfig(tmp_path, made, developer.token))
    assert "web" in kubectl("get", "deployments", "-n", "shop", "--request-timeout", "120s").stdout
    assert developer.cluster(NAME)["phase"] == "Ready"
    (woken, *_) = developer.list("/operations", virtual_cluster=made["id"], ordering="-created_at")
    assert woken["kind"] == "wake"
