"""A dry run of work: checked as in earnest, and no worker hears of it."""

import pytest

from clusters.models import HostCluster, Operation, VirtualCluster
from tests.clusters.making import ready_row
from tests.clusters.rules.kubeconfigs import kubeconfig_with


@pytest.fixture
def woken(django_capture_on_commit_callbacks):
    """What would be sent once the transaction is committed."""
    with django_capture_on_commit_callbacks() as callbacks:
        yield callbacks


def test_a_cluster_that_is_only_tried_starts_nothing(world, people, host, dan, woken):
    answer = dan.post(
        "/api/v1/virtual-clusters?dry_run=true", {"project": "acme/payments", "name": "hello"}, format="json"
    )
    assert answer.status_code == 202, answer.content
    assert answer.json()["virtual_cluster"]["name"] == "hello"
    assert answer.json()["operation"]["kind"] == "provision"
    assert not answer.has_header("Operation-Location")
    assert (VirtualCluster.objects.count(), Operation.objects.count()) == (0, 0)
    assert woken == []


def test_configuring_and_deleting_are_tried_too(world, people, host, dan, woken):
    cluster = ready_row(world, host)
    path, before = f"/api/v1/virtual-clusters/{cluster.pk}", Operation.objects.count()
    answer = dan.patch(f"{path}?dry_run=true", {"spec": {"size": "large"}}, format="json")
    assert answer.status_code == 202, answer.content
    assert answer.json()["virtual_cluster"]["spec"]["size"] == "large"
    assert dan.delete(f"{path}?dry_run=true").status_code == 202
    cluster.refresh_from_db()
    assert (cluster.size, cluster.phase) == ("small", "Ready")
    assert Operation.objects.count() == before
    assert woken == []


def test_a_host_is_checked_and_not_kept(world, people, op, woken):
    body = {"name": "north", "kubeconfig": kubeconfig_with()}
    answer = op.post("/api/v1/host-clusters?dry_run=true", body, format="json")
    assert answer.status_code == 202, answer.content
    assert not HostCluster.objects.exists()
    refused = op.post("/api/v1/host-clusters?dry_run=true", {**body, "kubeconfig": "x: ["}, format="json")
    assert refused.status_code == 400
    assert woken == []
