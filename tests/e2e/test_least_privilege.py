"""With exactly the manifest's rights Marina does all its work, can do nothing else, and holds none for nothing."""

from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest

from clusters.host_permissions import Permission, permissions_of
from clusters.host_rules import HOST_RULES, RENEWAL_RULES, TENANT_RULES, Rule
from dev.stack import Stack
from dev.waiting import wait_until
from localkube import LocalHost, Tools
from tests.commands import Kubectl, Marina
from tests.conftest import TestHost
from tests.e2e.api import Api, Json
from tests.e2e.audit_log import MARINA, Call, calls_of
from tests.e2e.conftest import GIVEN_NAMESPACES
from tests.e2e.credentials import kubeconfig_read, with_token
from tests.e2e.renewing import renewed, token_halfway

pytestmark = pytest.mark.localkube

ALL_VERBS = ("create", "delete", "get", "list", "patch", "update", "watch")
NOT_SEEN: Mapping[str, tuple[str, ...]] = {
    "No request of its own: RBAC asks for it when Marina binds the role.": (
        "bind clusterroles.rbac.authorization.k8s.io named marina-tenant",
    ),
    "Read where a right is missing, to tell a role that lacks it from a binding that has still to take effect.": (
        "get clusterroles.rbac.authorization.k8s.io named marina-tenant",
    ),
    "The control plane is a Deployment where a host's values turn its volume off.": (
        *("create deployments.apps", "delete deployments.apps", "patch deployments.apps"),
    ),
    "The chart's Role grants it for a control plane of several replicas, which takes a store outside of it.": tuple(
        f"{verb} leases.coordination.k8s.io" for verb in ALL_VERBS
    ),
}
"""Rights that no journey used and the chart's Role, as it was, does not grant: why Marina holds them all the same."""


@pytest.fixture(scope="module")
def journey(
    least: TestHost,
    marina: Marina,
    staff: Api,
    developer: Api,
    stack: Stack,
    local_hosts: Mapping[str, LocalHost],
) -> Json:
    """Connecting a host with the least rights and a cluster's whole life there: its Role, and every call of Marina."""
    log = local_hosts["harbor-east"].folder / "audit.log"
    since = log.stat().st_size
    token = least.kubectl("create", "token", "marina", "-n", "marina-system").stdout.strip()
    staff.ended(staff.replace("least", with_token(kubeconfig_read(least.kubeconfig), token)))
    marina("create", "audited", "--host", "least", "--wait")
    cluster = developer.cluster("audited")
    namespace = cluster["placement"]["namespace"]
    role = least.kubectl.get("role", "vc-audited", "-n", namespace)
    marina("kubeconfig", "audited", "--direct")
    wait_until(
        lambda: "WorkloadsAccepted" in [each["type"] for each in developer.cluster("audited")["conditions"]],
        seconds=30,
        what="No probe looked at the cluster",
    )
    with psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True) as database:
        before = token_halfway(database, "least")
        renewed(stack, database, "least", before)
    marina("delete", "audited", "--yes", "--wait")
    left = least.kubectl("get", "namespaces", namespace, exit_code=None)
    return {"role": role, "left": left, "calls": calls_of(MARINA, log, since=since)}


def test_a_cluster_is_made_used_probed_and_deleted_with_the_manifests_rights(journey: Json) -> None:
    assert "NotFound" in journey["left"].stderr


def granted(rules: tuple[Rule, ...]) -> set[Permission]:
    return set(permissions_of(rules))


def of_role(role: Json) -> set[Permission]:
    """What the chart's Role grants: RBAC lets Marina make it only because it holds the same."""
    return granted(
        tuple(
            Rule(
                api_groups=tuple(rule["apiGroups"]),
                resources=tuple(rule["resources"]),
                verbs=tuple(rule["verbs"]),
                needed_for="",
            )
            for rule in role["rules"]
        )
    )


def test_no_right_is_granted_for_nothing(journey: Json, given_calls: list[Call]) -> None:
    used = {right for call in (*journey["calls"], *given_calls) for right in call.as_permissions()}
    idle = granted((*HOST_RULES, *TENANT_RULES, *RENEWAL_RULES)) - used - of_role(journey["role"])
    expected = {right for rights in NOT_SEEN.values() for right in rights}
    assert {str(right) for right in idle} == expected


@pytest.fixture
def as_marina(least: TestHost, tools: Tools, tmp_path: Path) -> Kubectl:
    """kubectl with a token of Marina's own account."""
    token = least.kubectl("create", "token", "marina", "-n", "marina-system").stdout.strip()
    file = tmp_path / "marina.yaml"
    file.write_text(with_token(kubeconfig_read(least.kubeconfig), token))
    return Kubectl(tools.kubectl, file)


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        ("get secret localkube-secret -n kube-system", 'cannot get resource "secrets"'),
        ("get secrets -A", 'cannot list resource "secrets"'),
        ("get pods -A --watch", 'cannot watch resource "pods"'),
        ("delete pod x -n kube-system", 'cannot delete resource "pods"'),
        ("get services -A", 'cannot list resource "services"'),
        ("create configmap x -n default", 'cannot create resource "configmaps"'),
        ("create clusterrole x --verb=get --resource=pods", 'cannot create resource "clusterroles"'),
        ("create rolebinding x --clusterrole=cluster-admin --user=x -n kube-system", "not currently held"),
        ("create token default -n kube-system", 'cannot create resource "serviceaccounts/token"'),
        ("get nodes --as system:admin", "cannot impersonate"),
    ],
)
def test_what_is_not_in_the_manifest_is_refused_by_the_host(as_marina: Kubectl, asked: str, refused: str) -> None:
    assert refused in as_marina(*asked.split(), exit_code=1).stderr


def test_nothing_is_executed_outside_of_the_clusters_namespaces(as_marina: Kubectl, shared: Json) -> None:
    def may(namespace: str) -> str:
        return as_marina("auth", "can-i", "create", "pods/exec", "-n", namespace, exit_code=None).stdout.strip()

    assert (may("kube-system"), may("default")) == ("no", "no")
    # there the chart's Role takes it: who may not exec may not let the syncer exec for tenants
    assert may(shared["placement"]["namespace"]) == "yes"


@pytest.fixture(scope="module")
def given_calls(given: TestHost, developer: Api, project: str, local_hosts: Mapping[str, LocalHost]) -> list[Call]:
    """Every call Marina made to the host of mode `namespaces`, after a cluster's whole life there."""
    developer.ended(developer.create("nearby", project=project, host="given"))
    developer.ended(developer.delete("nearby"))
    return calls_of(MARINA, local_hosts["harbor-west"].folder / "audit.log", refused=True)


def test_in_mode_namespaces_no_call_leaves_the_given_namespaces(given_calls: list[Call]) -> None:
    outside = [call for call in given_calls if call.about_an_object and call.namespace not in GIVEN_NAMESPACES]
    # about oneself: which rights one has, who one is, a new token; everybody else's business is left alone
    assert {(call.resource, call.namespace) for call in outside} <= {
        ("selfsubjectaccessreviews", ""),
        ("selfsubjectreviews", ""),
        ("serviceaccounts", "marina-system"),
    }
    assert len(given_calls) > len(outside) + 50
