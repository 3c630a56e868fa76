"""What a move left is given up early: it goes from its host, which is free then, and the cluster lives on elsewhere."""

import pytest
from django.utils import timezone

from accounts.errors import Conflict
from accounts.services.audit import Actor
from clusters.models import HostCluster
from clusters.move_wish import MoveWish
from clusters.services.hosts import host_disconnect
from clusters.services.migrating import virtual_cluster_migrate
from clusters.services.retained import host_retained_give_up, retained_give_up
from provisioning.drivers.kinds import NAMESPACE
from tests.e2e.in_process import operation_finish


def give_up(wanderer):
    actor = Actor(user=wanderer.shop.world.olivia)
    return retained_give_up(virtual_cluster=wanderer.cluster, actor=actor, now=timezone.now())


def test_what_it_left_is_removed_at_once_and_there_is_no_way_back(wanderer):
    wanderer.move()
    namespace = wanderer.shop.placement_at("active").namespace
    removal = give_up(wanderer)
    assert wanderer.placements() == {"active": "beyond", "leaving": "east"}
    assert operation_finish(removal).state == "Succeeded"
    assert wanderer.placements() == {"active": "beyond"}
    assert wanderer.host(wanderer.shop.fake).get(NAMESPACE, namespace) is None
    assert wanderer.host(wanderer.beyond).get(NAMESPACE, namespace) is not None
    with pytest.raises(Conflict) as refused:
        virtual_cluster_migrate(
            virtual_cluster=wanderer.cluster,
            actor=Actor(user=wanderer.shop.world.olivia),
            now=timezone.now(),
            move=MoveWish(back=True),
        )
    assert refused.value.code == "nothing-retained"


def test_during_a_move_nothing_is_given_up(wanderer):
    wanderer.move()
    moving = wanderer.ask(back=True)
    with pytest.raises(Conflict) as refused:
        give_up(wanderer)
    assert refused.value.operation_id == moving.pk
    assert operation_finish(moving).state == "Succeeded"
    assert wanderer.placements() == {"active": "east", "retained": "beyond"}


def test_a_host_is_disconnected_once_what_it_kept_is_given_up(wanderer):
    wanderer.move()
    staff, east = Actor(user=wanderer.shop.world.staff), HostCluster.objects.get(name="east")
    with pytest.raises(Conflict, match="east keeps a copy of 1 cluster that moved away"):
        host_disconnect(host=east, actor=staff)
    given_up = host_retained_give_up(host=east, actor=staff, now=timezone.now())
    with pytest.raises(Conflict, match="What 1 cluster left on east is being removed"):
        host_disconnect(host=east, actor=staff)
    for removal in given_up.operations:
        assert operation_finish(removal).state == "Succeeded"
    host_disconnect(host=east, actor=staff)
    assert wanderer.placements() == {"active": "beyond"}
    assert wanderer.cluster.phase == "Ready"
