"""Roles of an organization's own, at work on clusters: shared, taken elsewhere, and what kubeconfigs they give."""

import pytest
from django.utils import timezone

from accounts.models import RoleBinding
from accounts.services.role_bindings import role_binding_delete
from accounts.services.roles import role_create, role_update
from clusters.models import OperationKind, VirtualCluster
from tests.accounts.conftest import MARINA, give, person, signed_in
from tests.clusters.conftest import problem
from tests.clusters.making import PUBLIC_KEY, ready_row

URL = "/api/v1/virtual-clusters"
LOOK = ("virtualcluster.view", "operation.view", "virtualcluster.kubeconfig.view")


def define(world, name, actions):
    return role_create(actor=MARINA, organization=world.acme, name=name, actions=actions)


@pytest.mark.parametrize("level", ["view", "admin"])
def test_a_kubeconfig_gives_what_the_roles_actions_say(world, people, host, level):
    cluster = ready_row(world, host)
    define(world, "inside", (*LOOK, *(["virtualcluster.kubeconfig.admin"] if level == "admin" else [])))
    una = person("una")
    give(una, "inside", cluster)
    answer = signed_in(una).post(f"{URL}/{cluster.pk}/kubeconfigs", {"public_key": PUBLIC_KEY}, "json")
    assert answer.status_code == 202, answer.content
    assert cluster.operations.get(kind=OperationKind.ISSUE_KUBECONFIG).params["level"] == level
    if level == "view":
        asked = {"public_key": PUBLIC_KEY, "level": "admin"}
        problem(signed_in(una).post(f"{URL}/{cluster.pk}/kubeconfigs", asked, "json"), 403)


def test_a_cluster_is_shared_by_a_custom_role_and_by_none_that_allows_more_than_the_sharers(world, people, dan, host):
    cluster = ready_row(world, host)
    define(world, "look", LOOK)
    define(world, "mover", (*LOOK, "virtualcluster.transfer"))
    answer = dan.post(f"{URL}/{cluster.pk}/shares", {"user": "mia", "role": "look"}, "json")
    assert answer.status_code == 201, answer.content
    assert answer.json()["role"] == "look"
    assert signed_in(people.mia).get(f"{URL}/{cluster.pk}").status_code == 200
    said = problem(dan.post(f"{URL}/{cluster.pk}/shares", {"user": "otto", "role": "mover"}, "json"), 403)
    assert "virtualcluster.transfer" in said["detail"]


def test_nobody_takes_a_cluster_to_where_they_may_do_more_to_it(world, people, host):
    cluster = ready_row(world, host)
    define(world, "mover", (*LOOK, "virtualcluster.transfer"))
    una = person("una")
    give(una, "mover", world.payments)
    give(una, "admin", world.search)
    said = problem(signed_in(una).post(f"{URL}/{cluster.pk}/transfer", {"project": "acme/search"}, "json"), 403)
    assert "there you may do" in said["detail"]
    give(una, "admin", world.payments)
    answer = signed_in(una).post(f"{URL}/{cluster.pk}/transfer", {"project": "acme/search"}, "json")
    assert answer.status_code < 300, answer.content


def test_an_organizations_own_roles_for_a_cluster_end_when_it_goes_to_another_organization(world, people, host):
    cluster = ready_row(world, host)
    define(world, "look", LOOK)
    mover = people.ada
    give(mover, "developer", world.foreign)
    give(people.mia, "look", cluster)
    give(people.otto, "viewer", cluster)
    answer = signed_in(mover).post(f"{URL}/{cluster.pk}/transfer", {"project": "globex/payments"}, "json")
    assert answer.status_code < 300, answer.content
    assert [each.role for each in RoleBinding.objects.filter(virtual_cluster=cluster)] == ["viewer"]


def test_who_no_longer_sees_a_cluster_after_a_role_was_changed_hands_it_over(world, people, host):
    role = define(world, "look", LOOK)
    una = person("una")
    give(una, "look", world.payments)
    cluster = ready_row(world, host, owner_user=una)
    role_update(actor=MARINA, role=role, actions=("project.view",), now=timezone.now())
    assert VirtualCluster.objects.get(pk=cluster.pk).owner_label == "ada"
    role_binding_delete(actor=MARINA, binding=RoleBinding.objects.get(user=una), now=timezone.now())
