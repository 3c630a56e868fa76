"""Every mutating call of the drivers asks for the lease before, and has a failpoint after."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from provisioning import failpoints
from provisioning.drivers.helm import HelmClient
from provisioning.drivers.kinds import CONFIG_MAP, Json
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import ApiConnection
from provisioning.failpoints import FailpointReached, failpoint, failpoint_names, failpoint_register
from tests.provisioning.drivers.conftest import CHART

ROOT = Path(__file__).parents[3]

KUBE_READS = {"target", "version", "api_groups", "readyz", "get", "list", "events", "access_review", "self_subject"}
KUBE_READS |= {"page", "discovery", "resources", "try_as", "revision", "metrics", "service_read", "endpoints_ready"}
HELM_READS = {"history", "status", "values", "manifest", "render"}


def config_map(namespace: str, name: str = "x") -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}


def config_maps(api: ApiConnection, namespace: str) -> list[Json]:
    """Without the one that Kubernetes makes in each namespace, whenever it gets round to it."""
    return KubeClient(api).list(CONFIG_MAP, namespace, field_selector="metadata.name!=kube-root-ca.crt")


KUBE_EFFECTS: dict[str, Callable[[KubeClient, str], object]] = {
    "create": lambda kube, ns: kube.create(config_map(ns, "y")),
    "apply": lambda kube, ns: kube.apply(config_map(ns)),
    "patch_merge": lambda kube, ns: kube.patch_merge(CONFIG_MAP, "x", ns, {"data": {"a": "b"}}),
    "create_as": lambda kube, ns: kube.create_as(CONFIG_MAP, config_map(ns, "y"), manager="somebody"),
    "patch_as": lambda kube, ns: kube.patch_as(
        CONFIG_MAP, kube.get(CONFIG_MAP, "x", ns) or {}, {"data": {"a": "b"}}, manager="somebody"
    ),
    "delete": lambda kube, ns: kube.delete(CONFIG_MAP, "x", ns),
    "delete_collection": lambda kube, ns: kube.delete_collection(CONFIG_MAP, ns, "a=b"),
    "token_request": lambda kube, ns: kube.token_request(ns, "robot", 600),
}
KUBE_FAILPOINTS = {"patch_merge": "kube.patch", "patch_as": "kube.patch", "create_as": "kube.create"}
HELM_EFFECTS: dict[str, Callable[[HelmClient, str], object]] = {
    "upgrade_install": lambda helm, ns: helm.upgrade_install("x", CHART, ns, {}, 60),
    "uninstall": lambda helm, ns: helm.uninstall("x", ns),
}


class LostLease(Exception):
    pass


def lost() -> None:
    raise LostLease


def public(client: type) -> set[str]:
    members = inspect.getmembers(client, lambda member: inspect.isfunction(member) or isinstance(member, property))
    return {name for name, _ in members if not name.startswith("_")}


def test_every_call_of_the_drivers_is_known_to_read_or_to_change():
    assert public(KubeClient) == KUBE_READS | KUBE_EFFECTS.keys()
    assert public(HelmClient) == HELM_READS | HELM_EFFECTS.keys() | {"repair"}
    expected = {KUBE_FAILPOINTS.get(name, f"kube.{name}") for name in KUBE_EFFECTS}
    expected |= {f"helm.{name}" for name in [*HELM_EFFECTS, "repair"]}
    assert {name for name in failpoint_names() if name.startswith(("kube.", "helm."))} == expected


@pytest.mark.parametrize("name", KUBE_EFFECTS)
def test_a_change_on_a_cluster_asks_first_and_can_be_crashed_after(name, api: ApiConnection, namespace, monkeypatch):
    robot = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot", "namespace": namespace}}
    KubeClient(api).apply(robot)
    KubeClient(api).apply(config_map(namespace))
    before = config_maps(api, namespace)
    with pytest.raises(LostLease):
        KUBE_EFFECTS[name](KubeClient(api, before_effect=lost), namespace)
    assert config_maps(api, namespace) == before
    monkeypatch.setenv(failpoints.VARIABLE, f"{KUBE_FAILPOINTS.get(name, f'kube.{name}')}:raise")
    with pytest.raises(FailpointReached):
        KUBE_EFFECTS[name](KubeClient(api), namespace)
    after = config_maps(api, namespace)
    assert (after != before) == (name in ("create", "create_as", "patch_merge", "patch_as", "delete"))


def test_a_change_by_helm_asks_first_and_can_be_crashed_after(helm_client, namespace, monkeypatch):
    for name, effect in HELM_EFFECTS.items():
        with pytest.raises(LostLease):
            effect(helm_client(before_effect=lost), namespace)
        monkeypatch.setenv(failpoints.VARIABLE, f"helm.{name}:raise")
        with pytest.raises(FailpointReached):
            effect(helm_client(), namespace)
        there = helm_client().status("x", namespace)
        assert bool(there) == (name == "upgrade_install")


def test_unarmed_nothing_happens_and_unknown_names_are_mistakes(monkeypatch):
    monkeypatch.delenv(failpoints.VARIABLE, raising=False)
    failpoint("kube.apply")
    with pytest.raises(LookupError):
        failpoint("kube.aply")


def test_a_count_names_the_passage_that_crashes(monkeypatch):
    failpoint_register("test.here", "test.there")
    monkeypatch.setenv(failpoints.VARIABLE, "test.here:raise:3")
    for name in ("test.here", "test.there", "test.here"):
        failpoint(name)
    with pytest.raises(FailpointReached):
        failpoint("test.here")
    failpoint("test.here")


def test_any_counts_the_passages_of_all_and_no_step_can_catch_it(monkeypatch):
    failpoint_register("test.here", "test.there")
    monkeypatch.setenv(failpoints.VARIABLE, f"{failpoints.ANY}:raise:2")
    for _ in range(2):
        failpoints.passages_forget()
        failpoint("test.here")
        with pytest.raises(FailpointReached), suppress(Exception):
            failpoint("test.there")


def test_kill_ends_the_process_at_once():
    script = (
        "from provisioning.failpoints import *; failpoint_register('test.here'); failpoint('test.here'); print('alive')"
    )
    environment = {failpoints.VARIABLE: "test.here:kill"}
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (-9, b"")


@pytest.mark.parametrize("armed", ["kube.apply", "kube.apply:explode", "kube.apply:kill:often"])
def test_a_malformed_setting_is_refused(monkeypatch, armed):
    monkeypatch.setenv(failpoints.VARIABLE, armed)
    with pytest.raises(ValueError, match="MARINA_FAILPOINT"):
        failpoint("kube.apply")
