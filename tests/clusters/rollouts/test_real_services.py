"""Rollouts begin what people would begin by hand: the services of moves and upgrades themselves."""

import pytest

from accounts.services.audit import Actor
from clusters.models import Operation, OperationKind, Placement, VirtualCluster
from clusters.services import rollout_actions
from tests.clusters.making import host_row
from tests.clusters.rollouts.conftest import NEW


@pytest.fixture
def real(fleet, monkeypatch):
    """As in earnest, until workers would take over."""
    monkeypatch.setitem(rollout_actions._BEGINS, "upgrade", rollout_actions.upgrade_begin)
    monkeypatch.setitem(rollout_actions._BEGINS, "migrate", rollout_actions.move_begin)
    Placement.objects.update(kubernetes_version="1.35.4", chart_version="0.36.1")
    return fleet


def begun(kind: OperationKind) -> dict[str, dict[str, object]]:
    rows = Operation.objects.filter(kind=kind).order_by("id")
    return dict(rows.values_list("virtual_cluster__name", "params"))


def test_a_move_goes_to_the_host_that_was_named_with_the_choices_that_were_made(real):
    real.many(2)
    west = host_row("west")
    rollout = real.rollout(action="migrate", kubernetes_version="", to=west, waves=["100%"])
    real.tick()
    assert real.told(rollout) == {"c-000": "", "c-001": ""}
    assert {name: params["to"] for name, params in begun(OperationKind.MIGRATE).items()} == {
        "c-000": str(west.pk),
        "c-001": str(west.pk),
    }


def test_platform_staff_empty_a_host_and_marina_chooses_where_to(real, people):
    real.many(2)
    host_row("west")
    actor = Actor(user=people.op)
    rollout = real.rollout(
        action="migrate", kubernetes_version="", organization=None, on_host=real.host, waves=["100%"], actor=actor
    )
    real.tick()
    assert real.told(rollout) == {"c-000": "", "c-001": ""}
    assert {name: params["to"] for name, params in begun(OperationKind.MIGRATE).items()} == {"c-000": "", "c-001": ""}


def test_where_nothing_can_go_it_is_halted_with_the_reason(real):
    real.many(1)
    rollout = real.rollout(action="migrate", kubernetes_version="", on_host=real.host)
    real.tick()
    assert real.states(rollout) == {"c-000": "Failed"}
    assert real.told(rollout)["c-000"]
    assert not begun(OperationKind.MIGRATE)


def test_a_host_that_was_disconnected_meanwhile_fails_what_was_to_go_there(real):
    real.many(1)
    west = host_row("west")
    rollout = real.rollout(action="migrate", kubernetes_version="", to=west)
    west.delete()
    real.tick()
    assert real.told(rollout) == {"c-000": "The host west is not there any more."}


def test_an_upgrade_goes_to_the_version_that_was_named(real):
    real.many(1)
    Placement.objects.update(kubernetes_version="1.35.4", chart_version="0.36.1")
    rollout = real.rollout(choices={"removed-apis": "accept", "differences": "accept"})
    real.tick()
    assert real.told(rollout) == {"c-000": ""}
    (params,) = begun(OperationKind.UPGRADE).values()
    assert params["choices"] == {"removed-apis": "accept"}, "differences are the rollout's"
    assert VirtualCluster.objects.get().kubernetes_version != NEW
