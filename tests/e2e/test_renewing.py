"""Marina renews its own token on a host at half of its life, and warns in time where it cannot."""

from collections.abc import Iterator, Mapping
from datetime import datetime

import psycopg
import pytest

from clusters.host_roles import manifest_render
from dev.stack import Stack
from dev.waiting import wait_until
from localkube import LocalHost
from tests.commands import Kubectl
from tests.conftest import TestHost
from tests.e2e.api import Api, Json
from tests.e2e.conftest import GIVEN_NAMESPACES
from tests.e2e.credentials import kubeconfig_read, with_token
from tests.e2e.renewing import generation_of, renewal_start, renewed, token_halfway

pytestmark = pytest.mark.localkube

SHORT = 600


def ends(staff: Api, host: str) -> datetime:
    return datetime.fromisoformat(staff.host(host)["credential_expires_at"])


def expiring(staff: Api, host: str) -> Json:
    found = staff.host(host)["conditions"]
    return next((each for each in found if each["type"] == "CredentialExpiring"), {"status": "", "message": ""})


def test_a_token_is_renewed_at_half_of_its_life_and_not_before(
    staff: Api, least: TestHost, stack: Stack, database: psycopg.Connection
) -> None:
    token = least.kubectl("create", "token", "marina", "-n", "marina-system", f"--duration={SHORT}s").stdout.strip()
    staff.ended(staff.replace("least", with_token(kubeconfig_read(least.kubeconfig), token)))
    fresh, end = generation_of(database, "least"), ends(staff, "least")
    renewal_start(stack)
    assert generation_of(database, "least") == fresh

    renewed(stack, database, "least", token_halfway(database, "least"))
    assert (ends(staff, "least") - end).total_seconds() > SHORT
    wait_until(lambda: expiring(staff, "least")["status"] == "False", seconds=10, what="No condition says so")
    assert not staff.list(
        "/operations", host_cluster=staff.host("least")["id"], state="Failed", kind="renew-credential"
    )


@pytest.fixture
def foreign_account(staff: Api, admin_of, local_hosts: Mapping[str, LocalHost]) -> Iterator[str]:
    """A host connected as an account of somebody else, by a token that ends soon."""
    kubectl: Kubectl = admin_of("harbor-west")
    kubectl("create", "serviceaccount", "theirs", "-n", "default")
    kubectl("create", "clusterrolebinding", "theirs", "--clusterrole=cluster-admin", "--serviceaccount=default:theirs")
    token = kubectl("create", "token", "theirs", "-n", "default", f"--duration={SHORT}s").stdout.strip()
    operation = staff.connect("theirs", with_token(kubeconfig_read(local_hosts["harbor-west"].kubeconfig), token))
    yield staff.ended(operation)["host_cluster"]["name"]
    staff("DELETE", f"/host-clusters/{staff.host('theirs')['id']}", status=204)
    kubectl("delete", "clusterrolebinding/theirs")
    kubectl("delete", "serviceaccount/theirs", "-n", "default")


def test_a_token_that_marina_cannot_renew_is_warned_of_with_its_date(
    foreign_account: str, staff: Api, stack: Stack, database: psycopg.Connection
) -> None:
    token_halfway(database, foreign_account)
    renewal_start(stack)
    said = expiring(staff, foreign_account)
    assert said["status"] == "True"
    assert f"{ends(staff, foreign_account):%Y-%m-%d %H:%M} UTC" in said["message"]
    assert "Marina cannot renew this kind" in said["message"]


def test_a_renewal_that_the_host_refuses_is_told_with_the_date_and_the_token_stays_in_use(
    given: TestHost, staff: Api, stack: Stack, database: psycopg.Connection
) -> None:
    given.kubectl("delete", "rolebinding", "marina-token", "-n", "marina-system")
    before = token_halfway(database, "given")
    renewal_start(stack)
    wait_until(lambda: expiring(staff, "given")["status"] == "True", seconds=20, what="Nobody was warned")
    said = expiring(staff, "given")["message"]
    assert 'cannot create resource "serviceaccounts/token"' in said
    assert f"{ends(staff, 'given'):%Y-%m-%d %H:%M} UTC" in said
    assert generation_of(database, "given") == before
    assert staff.host("given")["phase"] == "Connected"

    given.kubectl("apply", "-f", "-", stdin=manifest_render(mode="namespaces", namespaces=GIVEN_NAMESPACES))
    # whoever mended it need not wait for the pause after a failure
    (failed,) = staff.list(
        "/operations", host_cluster=staff.host("given")["id"], state="Failed", kind="renew-credential"
    )
    staff("POST", f"/operations/{failed['id']}/retry", status=202)
    staff.ended(failed)
    assert generation_of(database, "given") > before
    wait_until(lambda: expiring(staff, "given")["status"] == "False", seconds=10, what="The warning stayed")
