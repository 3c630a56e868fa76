"""Mode `namespaces`: given namespaces take one virtual cluster each, and are given back as they were."""

from collections.abc import Callable, Iterator

import pytest

from dev.waiting import wait_until
from tests.commands import Kubectl, Marina
from tests.conftest import TestHost
from tests.e2e.api import Api

pytestmark = pytest.mark.localkube

KINDS = (
    "statefulsets,deployments,pods,services,persistentvolumeclaims,configmaps,secrets,serviceaccounts,"
    "roles,rolebindings,networkpolicies,resourcequotas,limitranges"
)


@pytest.fixture(scope="module")
def foreign(given: TestHost) -> Iterator[set[str]]:
    """Things in the first given namespace that are not Marina's; all that is there before Marina uses it."""
    kubectl = given.kubectl
    kubectl("create", "configmap", "ours", "-n", "given-a", "--from-literal=kept=yes")
    kubectl("create", "secret", "generic", "ours", "-n", "given-a", "--from-literal=kept=yes")
    kubectl("create", "deployment", "ours", "-n", "given-a", "--image=nginx:1.29", "--replicas=1")
    kubectl("create", "quota", "ours", "-n", "given-a", "--hard=count/jobs.batch=5")
    kubectl("label", "namespace", "given-a", "team=a")
    kubectl("wait", "--for=condition=Available", "deployment/ours", "-n", "given-a", "--timeout=30s")
    yield held(kubectl)
    kubectl("delete", "configmap/ours", "secret/ours", "deployment/ours", "quota/ours", "-n", "given-a")
    kubectl("label", "namespace", "given-a", "team-")


def held(kubectl: Kubectl) -> set[str]:
    return set(kubectl("get", KINDS, "-n", "given-a", "-o", "name").stdout.split())


def test_given_namespaces_take_one_cluster_each_and_are_given_back_as_they_were(
    given: TestHost,
    foreign: set[str],
    developer: Api,
    marina: Marina,
    project: str,
    inside_of: Callable[[str], Kubectl],
) -> None:
    before = labels(given)
    first = developer.create("one", project=project, host="given")
    second = developer.create("two", project=project, host="given")
    developer.ended(first)
    developer.ended(second)
    placed = {name: developer.cluster(name)["placement"]["namespace"] for name in ("one", "two")}
    assert sorted(placed.values()) == ["given-a", "given-b"]
    assert labels(given) | before == labels(given)

    full = marina("create", "three", "--host", "given", exit_code=1)
    assert "given: All of its 2 namespaces are taken." in full.stderr

    here = next(name for name, namespace in placed.items() if namespace == "given-a")
    inside_of(here)("create", "namespace", "keepsake")
    developer.ended(developer.delete(here))
    assert held(given.kubectl) == foreign
    assert labels(given) == before
    revived(developer, project, here, inside_of)
    for name in placed:
        developer.ended(developer.delete(name))
    assert held(given.kubectl) == foreign


def test_a_cluster_moves_into_a_given_namespace_and_out_of_it_and_leaves_nothing(
    given: TestHost,
    foreign: set[str],
    hosts: list[TestHost],
    developer: Api,
    mover: Marina,
    project: str,
    inside_of: Callable[[str], Kubectl],
) -> None:
    before = labels(given)
    developer.ended(developer.create("nomad", project=project, host=hosts[0].name), seconds=240)
    inside_of("nomad")("create", "configmap", "there")
    mover("migrate", "nomad", "--project", project, "--to", "given", "--yes")
    where = developer.cluster("nomad")["placement"]
    assert (where["host"]["name"], where["namespace"]) == ("given", "given-a")
    inside_of("nomad")("get", "configmap", "there")
    inside_of("nomad")("create", "configmap", "back")
    mover("migrate", "nomad", "--project", project, "--back", "--yes")
    assert developer.cluster("nomad")["placement"]["host"]["name"] == hosts[0].name
    inside_of("nomad")("get", "configmap", "there", "back")
    developer.ended(developer.delete("nomad"), seconds=240)
    wait_until(lambda: labels(given) == before, seconds=60, what="what it left on its host is not given back")
    assert held(given.kubectl) == foreign


def revived(developer: Api, project: str, name: str, inside_of: Callable[[str], Kubectl]) -> None:
    """The same name in the same namespace again: nothing of the old state is there."""
    developer.ended(developer.create(name, project=project, host="given"))
    assert developer.cluster(name)["placement"]["namespace"] == "given-a"
    assert "keepsake" not in inside_of(name)("get", "namespaces", "-o", "name").stdout


def labels(given: TestHost) -> dict[str, str]:
    found: dict[str, str] = given.kubectl.get("namespace", "given-a")["metadata"]["labels"]
    return found


@pytest.fixture
def tiny_quota(given: TestHost) -> Iterator[str]:
    """A quota of the host's administrator on both namespaces, in which no control plane fits."""
    for namespace in ("given-a", "given-b"):
        given.kubectl("create", "quota", "tiny", "-n", namespace, "--hard=requests.memory=10Mi")
    yield "tiny"
    for namespace in ("given-a", "given-b"):
        given.kubectl("delete", "quota", "tiny", "-n", namespace)


def test_a_control_plane_that_the_hosts_quota_refuses_is_told_in_the_hosts_words_and_delete_supersedes_it(
    given: TestHost, tiny_quota: str, developer: Api, project: str
) -> None:
    provision = developer.create("cramped", project=project, host="given")

    def told() -> bool:
        return "exceeded quota: tiny, requested: requests.memory=" in developer.operation(provision)["message"]

    wait_until(told, seconds=30, what="The operation does not quote the host's quota")
    assert developer.operation(provision)["message"].startswith("The host refuses the control plane's pod: ")
    assert developer.cluster("cramped")["phase"] == "Provisioning"

    deletion = developer.delete("cramped")
    developer.ended(deletion)
    superseded = developer.operation(provision)
    assert superseded["state"] == "Aborted"
    assert "Superseded by delete." in superseded["message"]
    assert developer.list("/virtual-clusters", name="cramped") == []
