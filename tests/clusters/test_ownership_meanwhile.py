"""Nothing is left to somebody who is deactivated while it is given to them, made by them or inherited by them."""

from threading import Event

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.errors import InvalidInput
from accounts.models import RoleBinding, User
from accounts.services.audit import Actor
from accounts.services.role_bindings import role_binding_delete
from accounts.services.service_accounts import service_account_delete
from accounts.services.users import user_deactivate
from clusters.models import VirtualCluster
from clusters.services.transferring import virtual_cluster_transfer
from clusters.services.virtual_clusters import VirtualClusterSpec, virtual_cluster_create
from dev.waiting import wait_until
from tests.accounts.conftest import MARINA, give
from tests.accounts.machines import machine
from tests.clusters.making import ready_row
from tests.engine.conftest import at_once, somebody_waits_for_a_lock


def owner_of(cluster: VirtualCluster) -> str:
    return VirtualCluster.objects.get(pk=cluster.pk).owner_label


def deactivate(user: User) -> None:
    user_deactivate(actor=MARINA, user=User.objects.get(pk=user.pk), now=timezone.now())


def create(world, user: User):
    return virtual_cluster_create(
        project=world.payments, name="late", spec=VirtualClusterSpec(), actor=Actor(user=user), now=timezone.now()
    )


def test_a_cluster_is_not_given_to_who_was_deactivated_since_they_were_looked_up(world, people, host):
    cluster = ready_row(world, host, owner_user=people.dan)
    deactivate(people.vera)
    with pytest.raises(InvalidInput, match="nobody of this name"):
        virtual_cluster_transfer(virtual_cluster=cluster, actor=MARINA, owner=people.vera, now=timezone.now())
    assert owner_of(cluster) == "dan"


def test_who_was_deactivated_since_they_signed_in_makes_no_cluster(world, people, host):
    deactivate(people.dan)
    with pytest.raises(InvalidInput, match="nobody of this name"):
        create(world, people.dan)
    assert not VirtualCluster.objects.exists()


def test_a_service_account_that_was_deleted_meanwhile_gets_no_cluster(world, people, host):
    account = machine(world.payments)
    give(account, "developer", world.payments)
    cluster, user = ready_row(world, host, owner_user=people.dan), User.objects.get(pk=account.user.pk)
    service_account_delete(actor=MARINA, account=account, now=timezone.now())
    with pytest.raises(InvalidInput, match="nobody of this name"):
        virtual_cluster_transfer(virtual_cluster=cluster, actor=MARINA, owner=user, now=timezone.now())


def handed_over(world, people, host, hand_over) -> VirtualCluster:
    """Hands dan's cluster to ada and commits only when ada's deactivation waits for it; gives the cluster."""
    cluster, begun = ready_row(world, host, owner_user=people.dan), Event()

    def give_it() -> None:
        with transaction.atomic():
            hand_over(cluster)
            begun.set()
            wait_until(somebody_waits_for_a_lock, seconds=20, what="the deactivation did not wait")

    def lock_out() -> None:
        assert begun.wait(20)
        deactivate(people.ada)

    acts = (give_it, lock_out)
    at_once(2, lambda who: acts[who]())
    return cluster


@pytest.mark.django_db(transaction=True)
def test_what_an_heir_inherits_while_they_are_deactivated_goes_to_the_next(world, people, host):
    def hand_over(cluster: VirtualCluster) -> None:
        binding = RoleBinding.objects.get(user=people.dan, project=world.payments)
        role_binding_delete(actor=MARINA, binding=binding, now=timezone.now())
        assert owner_of(cluster) == "ada"

    assert owner_of(handed_over(world, people, host, hand_over)) == "olivia"


@pytest.mark.django_db(transaction=True)
def test_what_is_given_to_somebody_while_they_are_deactivated_goes_to_an_heir(world, people, host):
    def hand_over(cluster: VirtualCluster) -> None:
        virtual_cluster_transfer(virtual_cluster=cluster, actor=MARINA, owner=people.ada, now=timezone.now())

    assert owner_of(handed_over(world, people, host, hand_over)) == "olivia"
