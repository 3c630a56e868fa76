"""Placement by what is free, by region and by labels; the reason of each host is told, with its numbers."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Organization, Project
from clusters.models import Breaker, HostMode, Placement, RegionOffer
from clusters.placement_wish import PlacementWish
from clusters.placing import hosts_choose
from tests.clusters.making import cluster_row, host_row, ready_row

GIB = 1024**3


def amount(cpu: int, memory: int, pods: int = 500) -> dict[str, int]:
    """Cores and GiB."""
    return {"cpu": cpu * 1000, "memory": memory * GIB, "pods": pods}


def sized(name, *, cpu, memory=(64, 0), pods=(500, 0), seen=(), **fields):
    """A host that was just surveyed: of each resource what there is, and what is asked for."""
    capacity = {
        "nodes": 1,
        "nodes_ready": 1,
        "allocatable": amount(cpu[0], memory[0], pods[0]),
        "requested": amount(cpu[1], memory[1], pods[1]),
        "requested_by_namespace": {namespace: amount(0, 0, 1) for namespace in seen},
        "left_out": [],
    }
    given = {"exposure": "LoadBalancer", "surveyed_at": timezone.now(), **fields}
    return host_row(name, capacity=capacity, **given)


def choose(world, **wish):
    given = {"kubernetes_version": "1.36.3", "size": "small", **wish}
    return hosts_choose(project=world.payments, wish=PlacementWish(**given))


def order(choice) -> list[str]:
    return [host.name for host in choice.fitting]


# --- free room --------------------------------------------------------------------------------------------------------


def test_the_host_with_the_greatest_free_share_of_what_is_scarcest_comes_first(world):
    sized("a-cpu", cpu=(16, 12))
    sized("b-memory", cpu=(16, 1), memory=(64, 40))
    sized("c-best", cpu=(16, 2), memory=(64, 8))
    sized("d-large", cpu=(100, 50))
    assert order(choose(world)) == ["c-best", "d-large", "b-memory", "a-cpu"]


@pytest.mark.parametrize(
    ("size", "room", "why"),
    [
        ("small", {"cpu": (16, 16)}, "0 CPU free of 16, 0.22 needed."),
        ("medium", {"cpu": (16, 17)}, "0 CPU free of 16, 0.32 needed."),
        ("small", {"cpu": (16, 1), "memory": (64, 64)}, "0 GiB of memory free of 64, 0.3 needed."),
        ("small", {"cpu": (16, 1), "pods": (110, 109)}, "1 pods free of 110, 2 needed."),
    ],
)
def test_a_host_on_which_its_control_plane_would_find_no_room_is_left_out_with_the_numbers(world, size, room, why):
    sized("tight", **room)
    choice = choose(world, size=size)
    assert (choice.left_out, choice.fields) == ({"tight": why}, {"spec.size"})


def test_a_host_with_just_enough_fits(world):
    host = sized("exact", cpu=(16, 0))
    host.capacity["requested"]["cpu"] = 16_000 - 220
    host.save()
    assert order(choose(world)) == ["exact"]


@pytest.mark.parametrize(
    "capacity",
    [
        {},
        {"nodes": None, "nodes_ready": None, "allocatable": None, "requested": amount(1, 1), "left_out": ["nodes: no"]},
        {"nodes": 2, "nodes_ready": 0, "allocatable": amount(0, 0, 0), "requested": amount(1, 1)},
        {"nodes": 1, "allocatable": [{"cpu": "4"}]},
    ],
)
def test_a_host_whose_room_is_not_known_fits_after_those_of_which_it_is(world, capacity):
    host_row("a-unknown", capacity=capacity, exposure="LoadBalancer")
    sized("b-nearly-full", cpu=(16, 13))
    choice = choose(world)
    assert order(choice) == ["b-nearly-full", "a-unknown"]
    assert "a-unknown comes after it: 0 virtual clusters, free room not known." in choice.why()


def test_hosts_that_take_nothing_now_and_those_without_an_address_come_after_the_fullest(world):
    sized("a-silent", cpu=(16, 0), breaker=Breaker.OPEN)
    sized("b-hidden", cpu=(16, 0), exposure="None")
    sized("c-busy", cpu=(16, 13))
    choice = choose(world)
    assert order(choice) == ["c-busy", "b-hidden", "a-silent"]
    assert choice.why() == (
        "c-busy: preferred (3 of 16 CPU free). "
        "b-hidden comes after it: 16 of 16 CPU free, it publishes no address. "
        "a-silent comes after it: 16 of 16 CPU free, it takes nothing right now."
    )


def test_what_was_placed_and_not_yet_seen_counts_with_what_its_own_pods_ask_for(world):
    host = sized("east", cpu=(16, 2), seen=["marina-old"])
    ready_row(world, host, "old")
    ready_row(world, host, "new")
    ready_row(world, host, "newer", size="medium")
    room = choose(world).candidates[0].room
    assert room is not None
    assert room.cpu.free == 14_000 - 220 - 320, "the one that the survey saw is among what it counted"
    assert room.memory.free == 64 * GIB - (256 + 64 + 512 + 64) * 1024**2
    assert room.pods.free == 500 - 4


def test_what_has_no_pods_long_after_it_was_placed_counts_no_longer(world):
    host = sized("east", cpu=(16, 2))
    ready_row(world, host, "stale")
    Placement.objects.update(created_at=timezone.now() - timedelta(minutes=11))
    assert choose(world).candidates[0].room.cpu.free == 14_000


def test_30_created_at_once_spread_over_hosts_that_were_surveyed_before(world):
    hosts = {name: sized(name, cpu=(16, 1)) for name in ("east", "north", "west")}
    for number in range(30):
        chosen = choose(world).fitting[0]
        cluster = cluster_row(world, f"c-{number}")
        Placement.objects.create(virtual_cluster=cluster, host=chosen, namespace=f"n-{number}", release="r")
    assert [host.placements.count() for host in hosts.values()] == [10, 10, 10]


def test_a_small_host_takes_what_it_can_start_after_those_that_can_hold_all_it_may_grow_to(world):
    sized("a-laptop", cpu=(2, 0))
    sized("b-busy", cpu=(16, 13))
    choice = choose(world)
    assert order(choice) == ["b-busy", "a-laptop"]
    assert "a-laptop comes after it: 2 of 2 CPU free, less than its size may grow to." in choice.why()


# --- region and labels ------------------------------------------------------------------------------------------------


def test_only_hosts_of_the_wanted_region_fit_and_the_others_say_where_they_are(world):
    host_row("a", region="eu-west")
    host_row("b", region="us-east")
    host_row("c")
    choice = choose(world, region="eu-west")
    assert order(choice) == ["a"]
    assert choice.left_out == {
        "b": "It is in region us-east, not in eu-west.",
        "c": "It is in no region, not in eu-west.",
    }
    assert choice.fields == {"spec.region"}


def test_only_hosts_with_all_the_wanted_labels_fit_and_the_others_say_which_they_lack(world):
    host_row("both", labels={"gpu": "true", "tier": "gold", "more": ""})
    host_row("other", labels={"gpu": "false", "tier": "gold"})
    host_row("none", labels={"tier": "gold"})
    choice = choose(world, host_labels={"gpu": "true", "tier": "gold"})
    assert order(choice) == ["both"]
    assert choice.left_out == {"other": "It has gpu=false, not gpu=true.", "none": "It has no label gpu, not gpu=true."}
    assert choice.fields == {"spec.host_labels"}


# --- in words ---------------------------------------------------------------------------------------------------------


def test_why_a_host_was_chosen_and_each_other_one_was_not_is_told_in_one_sentence_each(world):
    sized("harbor-east", cpu=(16, 2))
    sized("harbor-north", cpu=(16, 6))
    sized("harbor-west", cpu=(16, 2), cordoned=True)
    sized("harbor-south", cpu=(16, 16))
    assert choose(world).why() == (
        "harbor-east: most free (14 of 16 CPU). "
        "harbor-north comes after it: 10 of 16 CPU free. "
        "harbor-south left out: 0 CPU free of 16, 0.22 needed. "
        "harbor-west left out: It is cordoned: it takes nothing new."
    )


def test_the_only_one_and_the_one_that_was_asked_for_are_told_as_that(world):
    host = sized("east", cpu=(16, 2))
    assert choose(world).why() == "east: the only one that fits (14 of 16 CPU free)."
    host_row("west")
    assert choose(world, host=host).why() == "east: asked for by name (14 of 16 CPU free)."


def test_of_very_many_others_a_sentence_tells_20_and_how_many_more_there_are(world):
    for number in range(30):
        host_row(f"h-{number:02}", cordoned=number > 0)
    choice = choose(world)
    assert choice.why().count("left out") == 20
    assert choice.why().endswith(" And 9 others.")
    assert choice.why(most=29).count("left out") == 29


# --- what it costs ----------------------------------------------------------------------------------------------------


def test_choosing_costs_the_same_number_of_queries_with_10_and_with_1000_hosts(world):
    Organization.objects.create(name="initech")
    RegionOffer.objects.create(region="eu-west", project=world.payments)
    counts = []
    for start, end in ((0, 10), (10, 1000)):
        for number in range(start, end):
            fields = {"mode": HostMode.NAMESPACES, "namespaces": ["a"]} if number % 3 == 0 else {}
            sized(f"h-{number}", cpu=(16, number % 10), region="eu-west", offered_to_all=False, **fields)
        with CaptureQueriesContext(connection) as captured:
            assert len(choose(world).fitting) == end
        counts.append(len(captured))
    assert counts == [2, 2]


def test_no_capacity_by_namespace_is_read_to_choose(world):
    """It may hold thousands of namespaces."""
    sized("east", cpu=(16, 2))
    with CaptureQueriesContext(connection) as captured:
        choose(world)
    columns = [query["sql"].split(" FROM ")[0] for query in captured]
    assert not any('"clusters_hostcluster"."capacity",' in each for each in columns)
    assert Project.objects.exists()
