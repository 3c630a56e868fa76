"""Where a virtual cluster may go: the hosts offered to its project, the emptiest that fits first."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from clusters.access import hosts_offered, hosts_visible
from clusters.models import Breaker, HostMode, HostPhase, HostScope, Placement
from clusters.placement_wish import PlacementWish
from clusters.placing import hosts_choose
from tests.accounts.conftest import signed_in
from tests.clusters.making import cluster_row, host_row


def names(hosts) -> set[str]:
    return set(hosts.values_list("name", flat=True))


@pytest.fixture
def fleet(world):
    """One host of each way to be offered."""
    host_row("for-all")
    host_row("for-acme", offered_to_all=False).offered_to_organizations.add(world.acme)
    host_row("for-globex", offered_to_all=False).offered_to_organizations.add(world.globex)
    host_row("for-payments", offered_to_all=False).offered_to_projects.add(world.payments)
    host_row("for-search", offered_to_all=False).offered_to_projects.add(world.search)
    host_row("of-acme", scope=HostScope.ORGANIZATION, organization=world.acme)
    host_row("of-globex", scope=HostScope.ORGANIZATION, organization=world.globex)


def test_a_project_is_offered_platform_hosts_for_all_its_own_and_what_names_it(world, fleet):
    acme = {"for-all", "for-acme", "of-acme"}
    assert names(hosts_offered(world.payments)) == acme | {"for-payments"}
    assert names(hosts_offered(world.search)) == acme | {"for-search"}
    assert names(hosts_offered(world.foreign)) == {"for-all", "for-globex", "of-globex"}


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("op", {"for-all", "for-acme", "for-globex", "for-payments", "for-search", "of-acme", "of-globex"}),
        ("olivia", {"for-all", "for-acme", "of-acme", "for-payments", "for-search"}),
        ("mia", {"for-all", "for-acme", "of-acme"}),
        ("dan", {"for-all", "for-acme", "of-acme", "for-payments"}),
        ("greta", {"for-all", "for-globex", "of-globex"}),
        ("eve", {"for-all", "for-globex", "of-globex"}),
    ],
)
def test_a_host_is_seen_by_whom_it_is_offered_to(world, people, fleet, who, seen):
    user: User = getattr(people, who, None) or getattr(world, who)
    assert names(hosts_visible(user)) == seen
    shown = signed_in(user).get("/api/v1/host-clusters").json()["results"]
    assert {each["name"] for each in shown} == seen


def test_who_sees_a_project_sees_the_hosts_it_may_use(world, people, fleet):
    """A developer of one project gets no list that leaves out what `create` would take."""
    visible, offered = names(hosts_visible(people.dan)), names(hosts_offered(world.payments))
    assert offered <= visible


def choose(world, version="1.36.3", **wish):
    return hosts_choose(project=world.payments, wish=PlacementWish(kubernetes_version=version, **wish))


def test_the_emptiest_host_comes_first_then_by_name(world):
    for name in ("west", "east", "north"):
        host = host_row(name)
    for number in range(2):
        cluster = cluster_row(world, f"c-{number}")
        Placement.objects.create(virtual_cluster=cluster, host=host, namespace=f"n-{number}", release="r")
    assert [host.name for host in choose(world).fitting] == ["east", "west", "north"]


def test_each_host_that_does_not_fit_is_told_with_its_reason(world):
    host_row("good")
    host_row("pending", phase=HostPhase.PENDING)
    host_row("failed", phase=HostPhase.FAILED)
    host_row("cordoned", cordoned=True)
    host_row("old", kubernetes_version="1.20.9")
    full = host_row("full", mode=HostMode.NAMESPACES, namespaces=["a", "b"])
    half = host_row("half", mode=HostMode.NAMESPACES, namespaces=["a", "b"])
    for number, (host, namespace) in enumerate([(full, "a"), (full, "b"), (half, "a")]):
        cluster = cluster_row(world, f"c-{number}")
        Placement.objects.create(virtual_cluster=cluster, host=host, namespace=namespace, release="r")
    choice = choose(world)
    assert [host.name for host in choice.fitting] == ["good", "half"]
    assert choice.left_out["pending"] == "It is not connected (Pending)."
    assert choice.left_out["failed"] == "It is not connected (Failed)."
    assert choice.left_out["cordoned"] == "It is cordoned: it takes nothing new."
    assert choice.left_out["full"] == "All of its 2 namespaces are taken."
    assert "1.20.9" in choice.left_out["old"]
    assert choice.explain().startswith("cordoned: It is cordoned: it takes nothing new. failed: ")


def test_the_host_that_is_wanted_is_the_only_one_weighed(world):
    wanted, _ = host_row("wanted", cordoned=True), host_row("free")
    choice = choose(world, host=wanted)
    assert (choice.fitting, set(choice.left_out)) == ((), {"wanted"})


def test_a_host_whose_version_is_not_known_yet_is_left_out_with_a_reason(world):
    host_row("new", kubernetes_version="")
    host_row("odd", kubernetes_version="custom-build")
    assert choose(world).left_out == dict.fromkeys(("new", "odd"), "It did not tell its Kubernetes version yet.")


def test_weighing_costs_the_same_number_of_queries_for_any_number_of_hosts(world):
    counts = []
    for start, count in ((0, 3), (3, 30)):
        for number in range(start, start + count):
            host_row(f"h-{number}", mode=HostMode.NAMESPACES, namespaces=[f"n-{number}"])
        with CaptureQueriesContext(
            connection,
        ) as captured:
            choose(world)
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_an_address_is_published_only_as_the_host_does_it(world, dan):
    host_row("closed", exposure="None")
    host_row("open", exposure="LoadBalancer")
    asked = choose(world, exposure="LoadBalancer")
    assert [host.name for host in asked.fitting] == ["open"]
    assert asked.left_out["closed"] == "It publishes APIs by exposure None, not LoadBalancer."
    assert asked.fields == {"spec.exposure"}
    hidden = choose(world, exposure="None")
    assert {host.name for host in hidden.fitting} == {"closed", "open"}


def test_a_host_that_publishes_addresses_comes_before_an_emptier_one_that_does_not(world, dan):
    host_row("a-hidden", exposure="None")
    busy = host_row("open", exposure="LoadBalancer")
    cluster = cluster_row(world)
    Placement.objects.create(virtual_cluster=cluster, host=busy, namespace="there", release="there")
    chosen = choose(world)
    assert [host.name for host in chosen.fitting] == ["open", "a-hidden"]


def test_a_host_that_takes_nothing_now_comes_last_and_is_not_left_out(world):
    told = {"type": "Schedulable", "status": "False", "reason": "NoNodeReady", "message": ""}
    host_row("a-silent", breaker=Breaker.OPEN)
    host_row("b-empty", conditions=[told])
    # uncordoned a moment ago: the next probe will say so
    host_row("c-well", conditions=[{**told, "reason": "Cordoned"}])
    chosen = choose(world)
    assert [host.name for host in chosen.fitting] == ["c-well", "a-silent", "b-empty"]
