"""The step that chooses a host keeps its reasons with operation and placement, and names offered hosts only."""

import pytest

from clusters.models import HostMode, OperationEvent, Placement
from provisioning.steps.placing import choose_host
from tests.clusters.making import cluster_row, host_row
from tests.clusters.test_placing_room import sized
from tests.engine.conftest import at_once, fresh, started


def chosen(engine):
    engine.flow(choose_host)
    operation = engine.start()
    engine.runner().run_next()
    return fresh(operation)


def test_the_reason_is_the_note_of_the_step_and_stays_with_the_placement(engine, world):
    sized("harbor-east", cpu=(16, 2))
    sized("harbor-west", cpu=(16, 2), cordoned=True)
    host_row("hidden", offered_to_all=False)
    operation = chosen(engine)
    why = (
        "harbor-east: the only one that fits (14 of 16 CPU free). "
        "harbor-west left out: It is cordoned: it takes nothing new."
    )
    step = operation.steps[0]
    assert (operation.state, step["key"], step["name"]) == ("Succeeded", "choose-host", "Choose a host cluster")
    assert step["note"] == Placement.objects.get().why == why
    assert not OperationEvent.objects.exists()


def test_a_worker_that_died_after_choosing_leaves_the_reason_to_the_next_one(engine, world):
    host = sized("east", cpu=(16, 2))
    sized("west", cpu=(16, 1))
    Placement.objects.create(
        virtual_cluster=engine.cluster, host=host, namespace="n", release="r", why="east: most free (14 of 16 CPU)."
    )
    assert chosen(engine).steps[0]["note"] == "east: most free (14 of 16 CPU)."
    assert Placement.objects.count() == 1


def test_one_that_was_placed_otherwise_is_left_where_it_is(engine, world):
    Placement.objects.create(virtual_cluster=engine.cluster, host=host_row(), namespace="n", release="r")
    assert chosen(engine).steps[0]["note"] == "A host was chosen already."


def test_the_wish_for_region_labels_and_size_decides(engine, world):
    engine.cluster.wanted_region, engine.cluster.wanted_host_labels = "eu-west", {"gpu": "true"}
    engine.cluster.size = "medium"
    engine.cluster.save()
    sized("a", cpu=(16, 0))
    sized("b", cpu=(16, 1), region="eu-west")
    sized("c", cpu=(16, 10), region="eu-west", labels={"gpu": "true"})
    sized("d", cpu=(16, 5), region="eu-west", labels={"gpu": "true"})
    chosen(engine)
    assert Placement.objects.get().host.name == "d"


def test_with_no_host_that_fits_it_fails_with_the_reasons_and_whom_to_ask(engine, world):
    host_row("east", cordoned=True)
    operation = chosen(engine)
    assert (operation.state, operation.error_code) == ("Failed", "no-host")
    assert "east: It is cordoned" in operation.error_message
    assert operation.error_hint == (
        "An admin of acme (olivia) or your platform team can offer or connect one. Then retry."
    )


def test_in_a_large_fleet_the_events_have_the_reason_of_every_host(engine, world):
    for number in range(30):
        host_row(f"h-{number:02}", cordoned=number > 0)
    operation = chosen(engine)
    assert operation.steps[0]["note"].endswith("And 9 others.")
    (event,) = OperationEvent.objects.all()
    assert (event.step, event.text.count("left out")) == ("choose-host", 29)


@pytest.mark.parametrize(("taken", "expected"), [([], "a"), (["a"], "b")])
def test_of_given_namespaces_the_first_free_one_is_taken(engine, world, taken, expected):
    host = host_row(mode=HostMode.NAMESPACES, namespaces=["a", "b"])
    for namespace in taken:
        other = cluster_row(world, "other")
        Placement.objects.create(virtual_cluster=other, host=host, namespace=namespace, release="r")
    chosen(engine)
    assert Placement.objects.get(virtual_cluster=engine.cluster).namespace == expected


@pytest.mark.django_db(transaction=True)
def test_30_created_at_the_same_moment_spread_over_the_hosts(engine, world):
    hosts = [sized(name, cpu=(16, 1)) for name in ("east", "north", "west")]
    engine.flow(choose_host)
    operations = [started(cluster_row(world, f"c-{number}")).operation for number in range(30)]
    runners = [engine.runner(f"worker-{number}") for number in range(30)]
    at_once(30, lambda number: runners[number].run(operations[number].pk))
    assert [host.placements.count() for host in hosts] == [10, 10, 10]
    assert {fresh(operation).state for operation in operations} == {"Succeeded"}
