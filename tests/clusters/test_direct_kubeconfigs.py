"""Direct kubeconfigs go past the gateway: a project gives them out only where its admins want that."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEvent, Project
from accounts.services.projects import project_create
from clusters.models import Operation, OperationKind
from clusters.services.kubeconfig_grants import grant_allowed
from tests.accounts.conftest import MARINA, signed_in
from tests.clusters.conftest import problem
from tests.clusters.making import PUBLIC_KEY, operation_row, ready_row
from tests.clusters.test_kubeconfig_grants import ended, grant, started


@pytest.fixture
def cluster(world, host):
    return ready_row(world, host)


def ask(client, cluster):
    return client.post(f"/api/v1/virtual-clusters/{cluster.pk}/kubeconfigs", {"public_key": PUBLIC_KEY}, "json")


def setting(client, project, value: bool):
    return client.patch(f"/api/v1/projects/{project.pk}", {"direct_kubeconfigs": value}, "json")


def test_a_new_project_gives_out_none_and_says_who_can_change_that_and_what_to_take(
    world, people, dan, cluster, settings
):
    assert not project_create(actor=MARINA, organization=world.acme, name="fresh").direct_kubeconfigs
    Project.objects.update(direct_kubeconfigs=False)
    said = problem(ask(dan, cluster), 403, "direct-kubeconfigs-off")
    assert "direct_kubeconfigs" in said["detail"]
    assert "An admin of acme/payments" in said["hint"]
    assert "marina project set acme/payments --direct-kubeconfigs on" in said["hint"]
    assert "gateway" not in said["hint"], "there is none here"
    settings.GATEWAY_URL = "https://gateway.example.com"
    assert "`marina kubeconfig hello`" in problem(ask(dan, cluster), 403)["hint"]
    assert not Operation.objects.filter(kind=OperationKind.ISSUE_KUBECONFIG).exists()
    problem(ask(signed_in(people.eve), cluster), 404)
    assert "project viewer" in problem(ask(signed_in(people.otto), cluster), 403)["hint"], "the role comes first"


def test_the_project_s_admins_turn_it_on_and_off_and_that_is_audited(world, people, dan, cluster):
    problem(setting(dan, world.payments, False), 403)
    ada = signed_in(people.ada)
    assert setting(ada, world.payments, False).json()["direct_kubeconfigs"] is False
    row = AuditEvent.objects.filter(action="project.update").latest("id")
    assert (row.before, row.after) == ({"direct_kubeconfigs": True}, {"direct_kubeconfigs": False})
    problem(ask(dan, cluster), 403)
    assert setting(ada, world.payments, True).json()["direct_kubeconfigs"] is True
    assert ask(dan, cluster).status_code == 202


def test_turning_it_off_ends_those_that_were_given_out(world, people, host, cluster):
    elsewhere = ready_row(world, host, "other", project=world.search)
    for each in (cluster, elsewhere):
        grant(each, world.olivia)
    assert started() == []
    setting(signed_in(people.ada), world.payments, False)
    (operation,) = started()
    assert (operation.kind, operation.virtual_cluster) == (OperationKind.REVOKE_ACCESS, cluster)
    assert ended(cluster) == {("olivia", "admin")}
    assert ended(elsewhere) == set()


def test_one_that_is_being_made_meanwhile_is_not_handed_over(world, people, dan, cluster):
    operation = operation_row(
        cluster,
        OperationKind.ISSUE_KUBECONFIG,
        requested_by=people.dan,
        sealed_result=b"sealed",
        sealed_until=timezone.now() + timedelta(seconds=60),
    )
    grant(cluster, people.dan, operation=operation)
    assert grant_allowed(operation)
    Project.objects.update(direct_kubeconfigs=False)
    assert not grant_allowed(operation)
    problem(dan.get(f"/api/v1/operations/{operation.pk}/sealed-result"), 403, "direct-kubeconfigs-off")
