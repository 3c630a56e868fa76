"""A worker that is frozen, killed or stopped in the middle of helm: its helm is gone, and another worker mends it."""

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from dev.processes import Process
from localkube import LocalHost, Tools
from tests.commands import Kubectl
from tests.e2e.audit_log import Call, calls_of
from tests.faults.gate import Gate, Request
from tests.faults.hosts import connect_all, nothing_doubled, on_host, through_gate
from tests.faults.system import System, freeze, thaw
from tests.faults.waiting import until
from tests.provisioning.drivers.processes import children_of, gone

HOST = "slow-helm"
SLOW_SECONDS = 0.25
"""Before every answer: helm then takes seconds, so that there is a middle of it."""
LEASE_SECONDS = 3
pytestmark = [pytest.mark.localkube, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def kubectl(local_hosts: Mapping[str, LocalHost], tools: Tools) -> Kubectl:
    return Kubectl(tools.kubectl, local_hosts["harbor-west"].kubeconfig)


@pytest.fixture(scope="module")
def gate(harbor: System, local_hosts: Mapping[str, LocalHost], run_folder: Path) -> Iterator[Gate]:
    way, gate = through_gate(local_hosts["harbor-west"], HOST, run_folder / "faults" / "gates", "token-of-slow-helm")
    connect_all(harbor, [way])
    yield gate
    gate.close()


@pytest.fixture
def slow(gate: Gate) -> Iterator[Gate]:
    """Takes its time for every request, until it is healed."""
    never = threading.Event()

    def slowly(request: Request) -> None:
        never.wait(SLOW_SECONDS)

    gate.spoil(slowly)
    yield gate
    gate.heal()


def helm_at_work(harbor: System, operation: str) -> tuple[Process, int]:
    """The worker, and the pid of the helm that it has install the release."""
    found: list[tuple[Process, int]] = []

    def look() -> bool:
        for worker in harbor.workers:
            found.extend((worker, pid) for pid in children_of(worker.pid) if _installs(pid))
        return bool(found)

    until(look, f"no helm was at work for {operation}")
    return found[0]


def _installs(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return words[0].endswith(b"helm") and words[1:2] == [b"upgrade"]


def recorded(kubectl: Kubectl, harbor: System, operation: str) -> str:
    """The id of the cluster, once helm has written that it is at work, so that what is left has to be repaired."""
    cluster = str(harbor.operation(operation)["virtual_cluster_id"])
    until(lambda: on_host(kubectl, cluster).revisions.get("pending-install"), "helm did not begin")
    return cluster


def ended_well(harbor: System, kubectl: Kubectl, operation: str, cluster: str) -> None:
    (row,) = harbor.ended([operation], seconds=120)
    assert row["state"] == "Succeeded", row
    nothing_doubled(kubectl, cluster)


def effects_since(host: LocalHost, size: int, namespace: str) -> list[Call]:
    """What was changed there after the log's first `size` bytes, as the host's own audit log has it."""
    found = calls_of("admin", host.folder / "audit.log", since=size)
    return [call for call in found if call.namespace == namespace and call.verb not in ("get", "list", "watch")]


def test_a_frozen_workers_helm_is_gone_before_another_one_begins_and_the_worker_does_no_more(
    harbor: System, slow: Gate, kubectl: Kubectl, local_hosts: Mapping[str, LocalHost]
) -> None:
    operation = harbor.create("frozen-helm", HOST)
    worker, helm = helm_at_work(harbor, operation)
    cluster = recorded(kubectl, harbor, operation)
    freeze(worker)
    until(lambda: gone(helm), "the frozen worker's helm went on", seconds=LEASE_SECONDS)
    assert harbor.worker_of(operation).pid == worker.pid, "helm outlived the lease"
    slow.heal()
    ended_well(harbor, kubectl, operation, cluster)
    before = harbor.everything([operation])
    host = local_hosts["harbor-west"]
    size, written = (host.folder / "audit.log").stat().st_size, worker.log.stat().st_size
    thaw(worker)
    until(lambda: b"gave up an operation" in worker.log.read_bytes()[written:], "it did not notice")
    assert harbor.everything([operation]) == before
    namespace = harbor.developer.cluster("frozen-helm")["placement"]["namespace"]
    assert effects_since(host, 0, namespace), "the log tells nothing of it"
    assert effects_since(host, size, namespace) == []


def test_a_killed_workers_helm_is_gone_and_its_release_is_repaired(
    harbor: System, slow: Gate, kubectl: Kubectl
) -> None:
    harbor.whole()
    operation = harbor.create("killed-helm", HOST)
    worker, helm = helm_at_work(harbor, operation)
    cluster = recorded(kubectl, harbor, operation)
    os.kill(worker.pid, signal.SIGKILL)
    until(lambda: gone(helm), "helm outlived its worker", seconds=2)
    slow.heal()
    ended_well(harbor, kubectl, operation, cluster)
    assert any("worker ended" in event["text"] for event in harbor.events(operation))


def test_a_worker_told_to_stop_ends_its_helm_when_the_grace_time_is_over_and_hands_back(
    harbor: System, slow: Gate, kubectl: Kubectl
) -> None:
    harbor.whole()
    operation = harbor.create("stopped-helm", HOST)
    worker, helm = helm_at_work(harbor, operation)
    cluster = recorded(kubectl, harbor, operation)
    worker.ask_to_stop()
    until(lambda: gone(helm), "helm outlived the grace time", seconds=15)
    until(lambda: not worker.running, "the worker did not stop", seconds=15)
    slow.heal()
    ended_well(harbor, kubectl, operation, cluster)
    assert [event for event in harbor.events(operation) if event["level"] != "info"] == [], "an attempt was used up"
    begun = [harbor.developer.delete(name) for name in ("frozen-helm", "killed-helm", "stopped-helm")]
    for deletion in begun:
        harbor.developer.ended(deletion, seconds=120)
