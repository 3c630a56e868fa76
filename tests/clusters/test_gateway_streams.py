"""Open streams through the gateway: who may still, asked for many at once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AccessToken
from accounts.services.audit import Actor
from accounts.services.teams import team_update
from clusters.models import GatewayToken, VirtualCluster
from clusters.services.break_glass import break_glass, break_glass_end
from clusters.services.gateway_access import Caller, caller_of, callers_still
from tests.accounts.conftest import MARINA, give, person
from tests.clusters.gateway_tokens import KINDS, access_token, signed, static, token_of_kind
from tests.clusters.making import cluster_row


@pytest.fixture
def cluster(world) -> VirtualCluster:
    return cluster_row(world)


def let_in(text: str, cluster: VirtualCluster) -> Caller:
    return caller_of(presented=text, cluster_id=cluster.pk, now=timezone.now())


def still(*callers: Caller) -> set[Caller]:
    return callers_still(callers=callers, now=timezone.now())


def test_each_ends_by_what_it_was_let_in_with_and_by_nothing_else(people, cluster):
    made = access_token(people.dan)
    row, text = static(people.dan, cluster)
    by_access_token = let_in(made.text, cluster)
    by_signed = let_in(signed(people.dan, cluster, source=made.token), cluster)
    by_session = let_in(signed(people.dan, cluster), cluster)
    by_static = let_in(text, cluster)
    everybody = {by_access_token, by_signed, by_session, by_static}
    assert still(*everybody) == everybody
    AccessToken.objects.filter(pk=made.token.pk).update(revoked_at=timezone.now())
    assert still(*everybody) == {by_session, by_static}
    GatewayToken.objects.filter(pk=row.pk).update(expires_at=timezone.now())
    assert still(*everybody) == {by_session}


def test_a_short_lived_token_that_is_over_ends_no_stream(people, cluster):
    source = access_token(people.dan).token
    caller = let_in(signed(people.dan, cluster, source=source), cluster)
    later = timezone.now() + timedelta(hours=2)
    assert caller.token_until < later
    assert callers_still(callers=[caller], now=later) == {caller}


def test_a_deleted_cluster_and_one_that_is_no_more_end_all_of_theirs(world, people, cluster):
    other = cluster_row(world, "other")
    here = {let_in(token_of_kind(kind, people.dan, cluster), cluster) for kind in KINDS}
    there = {let_in(token_of_kind(kind, people.dan, other), other) for kind in KINDS}
    VirtualCluster.objects.filter(pk=cluster.pk).update(phase="Deleted")
    assert still(*here, *there) == there
    GatewayToken.objects.filter(virtual_cluster=other).delete()
    other.delete()
    assert still(*here, *there) == set()


def test_limits_of_the_token_are_asked_again(world, people, cluster):
    made = access_token(people.dan, projects=(world.payments,))
    caller = let_in(made.text, cluster)
    give(people.dan, "developer", world.search)
    VirtualCluster.objects.filter(pk=cluster.pk).update(project=world.search)
    assert still(caller) == set()


def test_who_left_a_team_is_in_its_groups_no_more_though_the_role_is_there(world, people, cluster):
    team_update(actor=MARINA, team=world.dockers, members=[people.dan])
    caller = let_in(access_token(people.dan).text, cluster)
    assert still(caller) == {caller}
    team_update(actor=MARINA, team=world.dockers, members=[])
    assert still(caller) == set()


def test_mended_glass_closes_what_it_opened(people, cluster):
    now, actor = timezone.now(), Actor(user=people.op)
    glass = break_glass(cluster_id=cluster.pk, actor=actor, reason="OPS-17: a stuck webhook", now=now)
    caller = let_in(access_token(people.op).text, cluster)
    assert still(caller) == {caller}
    assert callers_still(callers=[caller], now=now + timedelta(hours=1)) == set(), "it ends by itself as well"
    break_glass_end(cluster_id=cluster.pk, grant_id=glass.pk, actor=actor, now=now)
    assert still(caller) == set()


def test_asking_costs_the_same_however_many_there_are(world, people, django_assert_num_queries):
    callers = []
    for number in range(6):
        cluster, user = cluster_row(world, f"c-{number}"), person(f"p-{number}")
        give(user, "viewer", world.payments)
        callers += [let_in(token_of_kind(kind, user, cluster), cluster) for kind in KINDS]
    for some in (callers[:4], callers):
        with django_assert_num_queries(6):
            assert still(*some) == set(some)
    with django_assert_num_queries(0):
        assert still() == set()
