"""The two roads on which a host is connected, and what Marina holds of it then."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
import pytest

from dev.stack import Stack
from localkube import LocalHost
from tests.commands import Kubectl, Marina
from tests.conftest import TestHost
from tests.e2e.api import Api, Json
from tests.e2e.conftest import context_of
from tests.e2e.credentials import behind_a_plugin, kubeconfig_read, kubeconfig_with

pytestmark = pytest.mark.localkube

SHOW_CREDENTIAL = """
import base64, json
from clusters.encryption import connection_decrypt
from clusters.models import HostCluster
held = connection_decrypt(HostCluster.objects.get(name={name!r}).credential.ciphertext)
print(held.to_json())
"""


@pytest.fixture
def held(stack: Stack) -> Callable[[str], Json]:
    """What Marina holds of a host's credential, decrypted."""
    return lambda name: json.loads(stack.manage("shell", "-v0", "-c", SHOW_CREDENTIAL.format(name=name)))


@pytest.fixture
def connected(platform: Marina) -> Iterator[list[str]]:
    """Names of hosts to be disconnected after the test."""
    names: list[str] = []
    yield names
    for name in names:
        platform("host", "disconnect", name, "--yes", exit_code=None)


def conditions(found: Json) -> dict[str, str]:
    return {each["type"]: each["status"] for each in found["conditions"]}


def test_a_kubeconfig_file_connects_a_host_and_its_offer_is_read(hosts: list[TestHost], staff: Api) -> None:
    host = staff.host(hosts[0].name)
    assert host["phase"] == "Connected"
    assert conditions(host) | {"Reachable": "True", "Authorized": "True"} == conditions(host)
    assert host["kubernetes_version"].startswith("1.36.")
    assert (host["storage_class"], host["capacity"]["nodes"]) == ("standard", 1)
    assert [each["name"] for each in host["ingress_classes"]] == ["nginx"]


def test_by_context_marina_gets_server_authority_and_a_token_of_its_own_account_and_nothing_else(
    least: TestHost, staff: Api, held: Callable[[str], Json]
) -> None:
    good = kubeconfig_read(least.kubeconfig)
    known = {key: value for key, value in held("least").items() if value}
    assert set(known) == {"server", "ca_pem", "token"}
    assert known["server"] == good["clusters"][0]["cluster"]["server"]
    assert known["token"] != good["users"][0]["user"]["token"]
    assert staff.host("least")["credential_expires_at"]


def test_without_a_yes_the_manifest_is_shown_and_nothing_is_applied(
    platform: Marina, given: TestHost, staff: Api
) -> None:
    road = ["--context", context_of(given.kubectl)]
    said = platform("host", "connect", "unasked", *road, exit_code=2, KUBECONFIG=str(given.kubeconfig))
    assert "name: marina-host" in said.stderr
    assert "giving itself marina-tenant in each namespace that it made" in said.stderr
    assert "--yes" in said.stderr
    assert given.kubectl("get", "clusterrole", "marina-host", exit_code=1).stderr.count("NotFound")
    assert staff.list("/host-clusters", name="unasked") == []


def test_a_long_lived_token_has_no_end(
    platform: Marina, least: TestHost, staff: Api, held: Callable[[str], Json], connected: list[str]
) -> None:
    connected.append("long")
    road = ["--context", context_of(least.kubectl), "--long-lived", "--yes", "--wait"]
    platform("host", "connect", "long", *road, KUBECONFIG=str(least.kubeconfig))
    assert staff.host("long")["credential_expires_at"] is None
    assert held("long")["token"]
    least.kubectl("delete", "secret", "marina-token", "-n", "marina-system")


def test_a_kubeconfig_that_runs_a_program_is_refused_with_the_command_that_takes_it(
    platform: Marina, local_hosts: Mapping[str, LocalHost], staff: Api, tmp_path: Path, connected: list[str]
) -> None:
    good = kubeconfig_read(local_hosts["harbor-east"].kubeconfig)
    file = tmp_path / "plugin.yaml"
    file.write_text(behind_a_plugin(good, tmp_path / "plugin.sh"))
    refused = platform("host", "connect", "plugin", "--kubeconfig", str(file), exit_code=1)
    assert ".user.exec" in refused.stderr
    assert "marina host connect" in refused.stderr
    assert staff.list("/host-clusters", name="plugin") == []

    connected.append("plugin")
    road = ["--context", good["current-context"], "--yes", "--wait"]
    said = platform("host", "connect", "plugin", *road, KUBECONFIG=str(file))
    assert "plugin is connected, Kubernetes 1.36." in said.stdout


def test_a_bad_credential_does_not_take_the_place_of_the_one_that_works(
    staff: Api, least: TestHost, shared: Json, marina: Marina, database: psycopg.Connection
) -> None:
    good = kubeconfig_read(least.kubeconfig)
    before = credential_row(database, "least")
    ended = staff.ended(staff.replace("least", kubeconfig_with(good, user={"token": "wrong"})), as_="Failed")
    assert ended["error"]["code"] == "unauthorized"
    assert credential_row(database, "least") == before
    assert staff.host("least")["phase"] == "Connected"
    assert "token:" in marina("kubeconfig", "shared", "--direct").stdout


def credential_row(database: psycopg.Connection, host: str) -> tuple[object, ...] | None:
    """Ciphertext, candidate and generation of a host's credential, None where there is no row."""
    return database.execute(
        "SELECT ciphertext, candidate, c.generation FROM clusters_hostcredential c"
        " JOIN clusters_hostcluster h ON h.id = c.host_id WHERE h.name = %s",
        [host],
    ).fetchone()


def test_disconnecting_waits_for_what_is_placed_there(platform: Marina, least: TestHost, shared: Json) -> None:
    refused = platform("host", "disconnect", "least", "--yes", exit_code=5)
    assert "/shared" in refused.stderr


def test_only_platform_staff_connects_a_host_of_the_platform(
    marina: Marina, local_hosts: Mapping[str, LocalHost], admin_of: Callable[[str], Kubectl]
) -> None:
    road = ["--kubeconfig", str(local_hosts["harbor-east"].kubeconfig)]
    assert "platform staff" in marina("host", "connect", "mine", *road, exit_code=1).stderr
