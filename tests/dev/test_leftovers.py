"""Looking for what a deleted cluster left on its host, on a real one."""

from collections.abc import Mapping

import pytest

from dev.leftovers import Gone, leftovers
from localkube import LocalHost, Tools
from tests.commands import Kubectl

GONE = Gone(id="01900000-0000-7000-8000-00000000cafe", namespace="marina-lost-cafe")


@pytest.fixture
def kubectl(local_hosts: Mapping[str, LocalHost], tools: Tools) -> Kubectl:
    return Kubectl(tools.kubectl, local_hosts["harbor-east"].kubeconfig)


def found(kubectl: Kubectl) -> list[str]:
    return leftovers(GONE, lambda *arguments: kubectl(*arguments).stdout)


def test_a_host_without_any_has_none(kubectl: Kubectl) -> None:
    assert found(kubectl) == []


def test_it_finds_what_is_named_labelled_or_bound_to_it(kubectl: Kubectl) -> None:
    kubectl("create", "namespace", GONE.namespace)
    kubectl("create", "clusterrole", "left", "--verb=get", "--resource=pods")
    kubectl("label", "clusterrole", "left", f"marina.dev/virtual-cluster={GONE.id}")
    binding = ("clusterrolebinding", "bound", "--clusterrole=view", f"--serviceaccount={GONE.namespace}:vc")
    kubectl("create", *binding)
    kubectl("create", "clusterrole", "foreign", "--verb=get", "--resource=pods")
    try:
        assert sorted(found(kubectl)) == [
            "ClusterRole/left",
            "ClusterRoleBinding/bound",
            f"Namespace/{GONE.namespace}",
        ]
    finally:
        kubectl("delete", "clusterrole", "left", "foreign")
        kubectl("delete", "clusterrolebinding", "bound")
        kubectl("delete", "namespace", GONE.namespace)
