"""helm through the gateway, and watches: they end with who opened them, and lose nothing when the pod is replaced."""

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, watch
from urllib3.exceptions import HTTPError

from dev.environment import of_the_machine
from dev.stack import Stack
from dev.waiting import wait_until
from localkube import Tools
from tests.commands import Kubectl, program_run
from tests.conftest import TestHost
from tests.e2e.api import Api, Json
from tests.e2e.gate import Gate

CHART = Path(__file__).parent / "charts" / "small"
SOAK = os.environ.get("MARINA_SOAK", "") not in ("", "0")
SECONDS = 600.0 if SOAK else 10.0
REPLACED_EVERY = 60.0 if SOAK else 5.0


@pytest.fixture(scope="module")
def inside(
    stack: Stack, developer: Api, shared: Json, tools: Tools, tmp_path_factory: pytest.TempPathFactory
) -> Kubectl:
    """kubectl on the shared cluster through the gateway."""
    folder = tmp_path_factory.mktemp("gate")
    return Kubectl(tools.kubectl, Gate.of(stack).kubeconfig(folder, shared, developer.token))


@pytest.fixture
def namespace(inside: Kubectl) -> Iterator[str]:
    name = f"watched-{secrets.token_hex(3)}"
    inside("create", "namespace", name)
    yield name
    inside("delete", "namespace", name, "--wait=false")


@pytest.fixture
def core(inside: Kubectl) -> client.CoreV1Api:
    """The official Python client, by the same kubeconfig."""
    return client.CoreV1Api(config.new_client_from_config(str(inside.kubeconfig)))


def test_helm_installs_upgrades_and_uninstalls_and_waits(inside: Kubectl, namespace: str, tools: Tools) -> None:
    def helm(*arguments: str) -> str:
        how: list[str | Path] = ["--kubeconfig", inside.kubeconfig, "--namespace", namespace, "--timeout", "90s"]
        return program_run([tools.helm, *how, *arguments], of_the_machine(), "", 0).stdout

    helm("install", "mine", str(CHART), "--wait")
    assert inside.get("-n", namespace, "deployment", "small")["status"]["readyReplicas"] == 1
    helm("upgrade", "mine", str(CHART), "--wait", "--set", "replicas=3", "--set", "greeting=hej")
    assert inside.get("-n", namespace, "deployment", "small")["status"]["readyReplicas"] == 3
    assert inside.get("-n", namespace, "configmap", "small")["data"] == {"greeting": "hej"}
    helm("rollback", "mine", "1", "--wait")
    assert inside.get("-n", namespace, "configmap", "small")["data"] == {"greeting": "hello"}
    helm("uninstall", "mine", "--wait")
    assert inside.get("-n", namespace, "deployments") == []


def test_a_watch_ends_at_the_api_server_when_its_client_goes(
    inside: Kubectl, namespace: str, core: client.CoreV1Api
) -> None:
    before = _watches(inside)
    answer: Any = core.list_namespaced_config_map(namespace, watch=True, _preload_content=False)
    wait_until(lambda: _watches(inside) == before + 1, seconds=20, what="the watch is not seen")
    answer.close()
    wait_until(lambda: _watches(inside) == before, seconds=20, what="the watch goes on without a client")


def _watches(inside: Kubectl) -> int:
    """How many watches of config maps of one namespace the virtual API server has open."""
    lines = inside("get", "--raw", "/metrics").stdout.splitlines()
    about = [line for line in lines if line.startswith("apiserver_longrunning_requests{")]
    ours = [line for line in about if 'resource="configmaps"' in line and 'scope="namespace"' in line]
    return sum(int(float(line.rpartition(" ")[2])) for line in ours)


@pytest.mark.localkube
@pytest.mark.timeout(SECONDS + 290)
def test_a_watch_of_the_python_client_loses_nothing_when_the_pod_is_replaced(
    inside: Kubectl, namespace: str, core: client.CoreV1Api, shared: Json, home: TestHost
) -> None:
    made: list[str] = []
    seen: list[str] = []
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(core, namespace, seen, over), daemon=True)
    watcher.start()
    deadline, replace_at, replaced = time.monotonic() + SECONDS, time.monotonic() + REPLACED_EVERY / 2, 0
    while time.monotonic() < deadline:
        if time.monotonic() > replace_at:
            _replace(home, shared)
            replace_at, replaced = time.monotonic() + REPLACED_EVERY, replaced + 1
        name = f"c-{len(made):05}"
        _insist(lambda: core.create_namespaced_config_map(namespace, _config_map(name)))  # noqa: B023
        made.append(name)
        over.wait(0.1)
    wait_until(lambda: len(seen) >= len(made), seconds=60, what="The watch misses something")
    over.set()
    assert replaced
    assert seen == made


def _watch(core: client.CoreV1Api, namespace: str, seen: list[str], over: threading.Event) -> None:
    """As informers do: list, watch from there, and after each break from the last version; list again where that is

    too old, as it is for an API server that has just started.
    """
    version = ""
    while not over.is_set():
        try:
            if not version:
                version = _listed(core, namespace, seen)
            for event in watch.Watch().stream(
                core.list_namespaced_config_map, namespace, resource_version=version, timeout_seconds=30
            ):
                version = event["object"].metadata.resource_version
                if event["type"] == "ADDED":
                    _see(seen, event["object"].metadata.name)
        except client.ApiException as error:
            version = "" if error.status == 410 else version
        except HTTPError:
            pass
        over.wait(0.2)


def _listed(core: client.CoreV1Api, namespace: str, seen: list[str]) -> str:
    listed: Any = core.list_namespaced_config_map(namespace)
    for name in sorted(item.metadata.name for item in listed.items):
        _see(seen, name)
    return str(listed.metadata.resource_version)


def _see(seen: list[str], name: str) -> None:
    if name.startswith("c-") and name not in seen:
        seen.append(name)


def _config_map(name: str) -> client.V1ConfigMap:
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name))


def _insist(work: Callable[[], object]) -> None:
    """Again where the gateway says that the cluster is not to be had now, or that it does not know what came of it."""

    def done() -> bool:
        try:
            work()
        except client.ApiException as error:
            if error.status not in (409, 500, 503):
                raise
            return bool(error.status == 409)  # made the first time, though nobody heard of it
        except HTTPError:
            return False
        return True

    wait_until(done, seconds=90, what="the cluster does not come back")


def _replace(home: TestHost, cluster: Json) -> None:
    where = cluster["placement"]
    home.kubectl("-n", where["namespace"], "delete", "pod", f"{where['release']}-0", "--wait=false")
