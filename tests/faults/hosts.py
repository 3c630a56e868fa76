"""Real hosts on ways that can be hurt: connected to a system under a name of their own."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from localkube import LocalHost
from tests.commands import Kubectl
from tests.faults.gate import Gate
from tests.faults.system import System
from tests.faults.toxiproxy import Proxy, Toxiproxy

HISTORY = "owner=helm"


@dataclass(frozen=True)
class Way:
    """A host's name in Marina, and the kubeconfig that leads through the way."""

    name: str
    kubeconfig: str


def through_proxy(toxiproxy: Toxiproxy, host: LocalHost, name: str) -> tuple[Way, Proxy]:
    proxy = toxiproxy.proxy(name, host.server)
    return Way(name, _leading_to(host, server=proxy.server)), proxy


def through_gate(host: LocalHost, name: str, folder: Path, token: str) -> tuple[Way, Gate]:
    user = yaml.safe_load(host.kubeconfig.read_text())["users"][0]["user"]
    gate = Gate(upstream=host.server, upstream_token=user["token"], folder=folder / name, token=token)
    return Way(name, gate_kubeconfig(host, gate, token)), gate


def gate_kubeconfig(host: LocalHost, gate: Gate, token: str) -> str:
    """The way through a gate with this token."""
    return _leading_to(host, server=gate.server, ca_pem=gate.ca_pem, token=token)


def _leading_to(host: LocalHost, *, server: str, ca_pem: str = "", token: str = "") -> str:
    document = yaml.safe_load(host.kubeconfig.read_text())
    cluster, entry = document["clusters"][0]["cluster"], document["users"][0]
    cluster["server"] = server
    if ca_pem:
        cluster["certificate-authority-data"] = base64.b64encode(ca_pem.encode()).decode()
    if token:
        entry["user"] = {"token": token}
    text: str = yaml.safe_dump(document)
    return text


def connect_all(system: System, ways: Sequence[Way]) -> None:
    """All at the same time."""
    begun = [system.staff.connect(way.name, way.kubeconfig, exposure="Local") for way in ways]
    for operation in begun:
        system.staff.ended(operation, seconds=90)


@dataclass(frozen=True)
class OnHost:
    """What is there of one virtual cluster, asked of the host itself."""

    namespaces: int
    stateful_sets: int
    revisions: dict[str, int]
    """Of its release, by status."""


def on_host(kubectl: Kubectl, cluster_id: str) -> OnHost:
    namespaces = kubectl.get("namespaces", "-l", f"marina.dev/virtual-cluster={cluster_id}")
    if not namespaces:
        return OnHost(0, 0, {})
    name = namespaces[0]["metadata"]["name"]
    revisions: dict[str, int] = {}
    for record in kubectl.get("secrets", "-n", name, "-l", HISTORY):
        status = record["metadata"]["labels"]["status"]
        revisions[status] = revisions.get(status, 0) + 1
    return OnHost(len(namespaces), len(kubectl.get("statefulsets", "-n", name)), revisions)


def nothing_doubled(kubectl: Kubectl, cluster_id: str) -> None:
    """One namespace, one control plane, one revision that counts and none half done."""
    found = on_host(kubectl, cluster_id)
    assert (found.namespaces, found.stateful_sets) == (1, 1), found
    assert found.revisions.get("deployed") == 1, found
    assert not [status for status in found.revisions if status.startswith("pending")], found
