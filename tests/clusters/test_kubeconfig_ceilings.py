"""What else than a lost role ends a kubeconfig: a lowered ceiling, another project, glass that is mended."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.services.audit import Actor
from accounts.services.projects import project_update
from clusters.models import OperationKind
from clusters.services.break_glass import break_glass, break_glass_end
from clusters.services.ceilings import kubeconfig_ceiling_set
from clusters.services.transferring import virtual_cluster_transfer
from tests.accounts.conftest import MARINA, give
from tests.clusters.making import ready_row
from tests.clusters.test_kubeconfig_grants import ended, grant, started


@pytest.fixture
def cluster(world, host):
    return ready_row(world, host)


@pytest.mark.parametrize("whose", ["cluster", "project"])
@pytest.mark.parametrize(("ceiling", "levels"), [("admin", set()), ("view", {"admin"}), ("none", {"admin", "view"})])
def test_lowering_a_ceiling_ends_what_gives_more_at_the_next_look(world, people, cluster, whose, ceiling, levels):
    for level in ("admin", "view"):
        grant(cluster, people.dan, level)
    assert started() == []
    if whose == "cluster":
        kubeconfig_ceiling_set(virtual_cluster=cluster, ceiling=ceiling, actor=MARINA)
    else:
        project_update(actor=MARINA, project=world.payments, kubeconfig_ceiling=ceiling)
    assert ended(cluster) == {("dan", level) for level in levels}
    assert [operation.kind for operation in started()] == [OperationKind.REVOKE_ACCESS] * bool(levels)


def test_a_transfer_ends_the_kubeconfigs_of_those_without_a_role_over_there(world, people, cluster):
    give(people.dan, "developer", world.search)
    for user in (people.dan, people.vera):
        grant(cluster, user, "view")
    virtual_cluster_transfer(virtual_cluster=cluster, actor=MARINA, now=timezone.now(), project=world.search)
    assert ended(cluster) == {("vera", "view")}
    assert len(started()) == 1


def test_mended_glass_ends_the_kubeconfig_that_was_got_through_it(world, people, cluster):
    now, actor = timezone.now(), Actor(user=people.op)
    glass = break_glass(cluster_id=cluster.pk, actor=actor, reason="OPS-17: a stuck webhook", role="developer", now=now)
    grant(cluster, people.op, "view", expires_at=now + timedelta(minutes=20))
    assert ended(cluster) == set()
    break_glass_end(cluster_id=cluster.pk, grant_id=glass.pk, actor=actor, now=now)
    assert ended(cluster) == {("op", "view")}
    assert len(started()) == 1
