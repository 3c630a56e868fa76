"""Hosts that somebody has to mend: the operation fails at once and says which host and why; then it goes on."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from localkube import LocalHost, Tools
from tests.commands import Kubectl
from tests.e2e.api import Json
from tests.faults.gate import Answer, Faults, Gate, Request
from tests.faults.hosts import connect_all, gate_kubeconfig, nothing_doubled, on_host, through_gate
from tests.faults.system import System

HOST = "guarded"
FIRST_TOKEN, SECOND_TOKEN = "token-of-the-first-day", "token-of-the-second-day"
RELEASE_RECORD = "sh.helm.release"


@pytest.fixture(scope="module")
def kubectl(local_hosts: Mapping[str, LocalHost], tools: Tools) -> Kubectl:
    return Kubectl(tools.kubectl, local_hosts["harbor-west"].kubeconfig)


@pytest.fixture(scope="module")
def gate(harbor: System, local_hosts: Mapping[str, LocalHost], run_folder: Path) -> Iterator[Gate]:
    way, gate = through_gate(local_hosts["harbor-west"], HOST, run_folder / "faults" / "gates", FIRST_TOKEN)
    connect_all(harbor, [way])
    yield gate
    gate.close()


def failed(harbor: System, operation: Json | str) -> Json:
    """The operation, which failed without an attempt too many, and names the host."""
    found = harbor.developer.ended({"id": operation, "kind": "provision"}, as_="Failed")
    assert HOST in found["error"]["message"], found["error"]
    assert found["error"]["hint"], found["error"]
    return found


def retried(harbor: System, operation: Json) -> None:
    harbor.developer("POST", f"/operations/{operation['id']}/retry", status=202)
    harbor.developer.ended(operation, seconds=90)


def test_a_wrong_certificate_and_a_rotated_token_are_told_by_name_and_what_is_made_after_them_is_made_once(
    harbor: System, gate: Gate, kubectl: Kubectl, local_hosts: Mapping[str, LocalHost]
) -> None:
    gate.show_another_certificate()
    operation = failed(harbor, harbor.create("mended", HOST))
    assert operation["error"]["code"] == "certificate"
    assert "certificate" in operation["error"]["message"]
    gate.heal()

    gate.token = SECOND_TOKEN
    harbor.developer("POST", f"/operations/{operation['id']}/retry", status=202)
    operation = failed(harbor, operation["id"])
    assert operation["error"]["code"] == "unauthorized"
    assert FIRST_TOKEN not in str(operation)
    again = gate_kubeconfig(local_hosts["harbor-west"], gate, SECOND_TOKEN)
    harbor.staff.ended(harbor.staff.replace(HOST, again))
    retried(harbor, operation)
    cluster = harbor.developer.cluster("mended")
    assert cluster["phase"] == "Ready"
    nothing_doubled(kubectl, cluster["id"])
    harbor.developer.ended(harbor.developer.delete("mended"), seconds=120)


def test_lists_that_a_host_forgets_in_the_middle_are_read_again(
    harbor: System, gate: Gate, kubectl: Kubectl, figure: Callable[[str, object], None]
) -> None:
    """Pages of one object, so that there is a second page of nearly everything."""
    gate.page_size = 1
    gate.spoil(Faults().forgotten_lists)
    operation = harbor.create("paged", HOST)
    (row,) = harbor.ended([operation], seconds=120)
    assert (row["state"], row["attempt"]) == ("Succeeded", 0), row
    cluster = harbor.developer.cluster("paged")
    nothing_doubled(kubectl, cluster["id"])
    harbor.developer.ended(harbor.developer.delete("paged"), seconds=120)
    forgotten = sum(seen.hit for seen in gate.seen("continue="))
    gate.heal()
    figure("second pages answered with 410", forgotten)
    assert forgotten
    assert on_host(kubectl, cluster["id"]).namespaces == 0


def test_what_helm_is_refused_is_told_by_name_too(harbor: System, gate: Gate, kubectl: Kubectl) -> None:
    def refused(request: Request) -> Answer | None:
        helm = "marina" not in request.agent
        return Answer(401, b'{"kind":"Status","code":401,"message":"Unauthorized"}') if helm else None

    gate.spoil(refused)
    operation = failed(harbor, harbor.create("helmless", HOST))
    assert operation["error"]["code"] == "unauthorized"
    gate.heal()
    retried(harbor, operation)
    nothing_doubled(kubectl, harbor.developer.cluster("helmless")["id"])
    harbor.developer.ended(harbor.developer.delete("helmless"), seconds=120)
