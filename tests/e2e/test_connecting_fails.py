"""A host that cannot be connected: why is said by code and in words, and nothing of its credential is kept."""

import base64
from collections.abc import Callable, Iterator, Mapping

import psycopg
import pytest

from localkube import LocalHost
from localkube.ports import free_ports
from tests.commands import Kubectl
from tests.e2e.api import Api, Json
from tests.e2e.credentials import kubeconfig_read, kubeconfig_with, with_token
from tests.e2e.test_connecting import credential_row
from tests.provisioning.drivers.fault_servers import certificate_pem, serving, silent

pytestmark = pytest.mark.localkube

REASONS = {
    "unreachable": "cannot be reached: connection refused",
    "timeout": "did not answer in time",
    "certificate": "is not trusted",
    "unauthorized": "Unauthorized",
    "permissions": "lacks",
}


@pytest.fixture(scope="module")
def ended(
    staff: Api, local_hosts: Mapping[str, LocalHost], admin_of: Callable[[str], Kubectl]
) -> Iterator[dict[str, Json]]:
    """The connect operations of five hosts, each with one thing wrong, by what is wrong; begun together."""
    good = kubeconfig_read(local_hosts["harbor-west"].kubeconfig)
    kubectl = admin_of("harbor-west")
    kubectl("create", "serviceaccount", "nobody", "-n", "default")
    nobody = kubectl("create", "token", "nobody", "-n", "default").stdout.strip()
    with serving(silent) as port:
        kubeconfigs = {
            "unreachable": kubeconfig_with(good, cluster={"server": f"https://127.0.0.1:{free_ports(1)[0]}"}),
            "timeout": kubeconfig_with(good, cluster={"server": f"https://127.0.0.1:{port}"}),
            "certificate": kubeconfig_with(good, cluster={"certificate-authority-data": _other_authority()}),
            "unauthorized": kubeconfig_with(good, user={"token": "nobody-knows-this-token"}),
            "permissions": with_token(good, nobody),
        }
        started = {code: staff.connect(f"bad-{code}", text) for code, text in kubeconfigs.items()}
        yield {code: staff.ended(operation, as_="Failed") for code, operation in started.items()}
    for code in started:
        staff("DELETE", f"/host-clusters/{staff.host(f'bad-{code}')['id']}", status=204)


def _other_authority() -> str:
    return base64.b64encode(certificate_pem("127.0.0.1")[0].encode()).decode()


@pytest.mark.parametrize("code", REASONS)
def test_a_failed_connect_says_why_by_code_and_in_words(ended: dict[str, Json], code: str) -> None:
    assert ended[code]["error"]["code"] == code
    assert REASONS[code] in ended[code]["error"]["message"]
    assert ended[code]["error"]["hint"]


def test_missing_permissions_are_listed_by_verb_and_resource(ended: dict[str, Json]) -> None:
    said = ended["permissions"]["error"]["message"]
    for right in ("create namespaces", "list nodes", "bind clusterroles.rbac.authorization.k8s.io named marina-tenant"):
        assert right in said


@pytest.mark.parametrize("code", REASONS)
def test_a_failed_connect_erases_the_credential_and_the_host_takes_nothing(
    ended: dict[str, Json], staff: Api, developer: Api, project: str, database: psycopg.Connection, code: str
) -> None:
    host = staff.host(f"bad-{code}")
    assert host["phase"] == "Failed"
    assert credential_row(database, f"bad-{code}") is None
    about = "Authorized" if code in ("unauthorized", "permissions") else "Reachable"
    (condition,) = [each for each in host["conditions"] if each["type"] == about]
    assert (condition["status"], condition["message"]) == ("False", ended[code]["error"]["message"])
    wanted = {"name": "never", "project": project, "host": host["name"]}
    refused = developer.refused("POST", "/virtual-clusters", wanted, "host")
    assert f"{host['name']}: It is not connected (Failed)." in refused["message"]
