"""What the steps about access do before they ask any host; what they do inside is in the crash tests and tests/e2e."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.services.audit import Actor
from accounts.services.role_bindings import role_binding_delete
from clusters.models import KubeconfigGrant, Operation, OperationKind, OperationState, Placement, VirtualCluster
from clusters.services.kubeconfig_grants import access_revoke, access_to_end, grant_put
from clusters.services.kubeconfigs import kubeconfig_issue
from clusters.services.operations import operation_start
from provisioning.flows import FLOWS
from tests.accounts.conftest import MARINA, give, person, world_make
from tests.clusters.making import PUBLIC_KEY, host_row, ready_row
from tests.e2e.in_process import operation_finish


@pytest.fixture
def world(db):
    return world_make()


@pytest.fixture
def cluster(world) -> VirtualCluster:
    return ready_row(world, host_row())


def revoking(cluster: VirtualCluster) -> Operation:
    kind = OperationKind.REVOKE_ACCESS
    return operation_start(kind=kind, subject=cluster, actor=MARINA, now=timezone.now()).operation


def test_no_token_is_made_for_who_lost_the_role_while_the_operation_waited(world, cluster):
    user, now = person("leaver"), timezone.now()
    binding = give(user, "developer", world.payments)
    operation = kubeconfig_issue(virtual_cluster=cluster, public_key=PUBLIC_KEY, actor=Actor(user=user), now=now)
    role_binding_delete(actor=MARINA, binding=binding, now=now)
    ended = operation_finish(operation)
    assert (ended.state, ended.error_code) == (OperationState.FAILED, "role-taken")
    assert ended.sealed_until is None
    # an earlier attempt of it may have made the account: so it is to be ended all the same
    assert access_to_end(virtual_cluster=cluster, now=now).accounts == ((user.pk, "admin"),)


def test_what_is_made_after_it_was_ended_has_to_be_ended_again(world, cluster):
    now = timezone.now()
    operation = kubeconfig_issue(
        virtual_cluster=cluster, public_key=PUBLIC_KEY, actor=Actor(user=world.olivia), now=now
    )
    KubeconfigGrant.objects.update(revoked_at=now)
    grant_put(operation=operation, level="admin", expires_at=now + timedelta(hours=1))
    assert KubeconfigGrant.objects.get().revoked_at is None


def test_nothing_is_asked_of_a_cluster_in_which_nobody_lost_anything(world, cluster):
    ends = timezone.now() + timedelta(hours=1)
    KubeconfigGrant.objects.create(virtual_cluster=cluster, user=world.olivia, level="admin", expires_at=ends)
    ended = operation_finish(revoking(cluster))
    assert ended.state == OperationState.SUCCEEDED
    assert ended.steps[0]["note"] == "Everybody who has a kubeconfig may have it."
    assert KubeconfigGrant.objects.get().revoked_at is None


def test_a_cluster_that_went_meanwhile_took_all_access_with_it(world, cluster):
    ends = timezone.now() + timedelta(hours=1)
    KubeconfigGrant.objects.create(virtual_cluster=cluster, user=person("leaver"), level="admin", expires_at=ends)
    (operation,) = access_revoke(now=timezone.now())
    Placement.objects.all().delete()
    assert operation_finish(operation).state == OperationState.SUCCEEDED
    assert KubeconfigGrant.objects.get().revoked_at is not None


@pytest.mark.parametrize("kind", [OperationKind.CONFIGURE, OperationKind.ADOPT, OperationKind.REVOKE_ACCESS])
def test_these_flows_put_access_right_in_the_end(kind):
    assert FLOWS[kind].steps[-1].key == "access-put-right"
