"""Whatever the fleet looks like: nothing is placed where it is not offered, and each offered host has its reason."""

from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clusters.access import hosts_offered
from clusters.models import Breaker, HostCluster, HostMode, HostPhase, HostScope, RegionOffer
from clusters.placement_wish import PlacementWish
from clusters.placing import Candidate, hosts_choose
from tests.clusters.making import host_row

REGIONS = ("", "eu-west", "us-east")
GIB = 1024**3
AMOUNTS = st.fixed_dictionaries(
    {"cpu": st.integers(0, 20_000), "memory": st.integers(0, 64 * GIB), "pods": st.integers(0, 200)}
)
HOSTS = st.fixed_dictionaries(
    {
        "whose": st.sampled_from(["platform", "acme", "globex"]),
        "to_all": st.booleans(),
        "to_organizations": st.sets(st.sampled_from(["acme", "globex"])),
        "to_projects": st.sets(st.sampled_from(["payments", "search", "foreign"])),
        "region": st.sampled_from(REGIONS),
        "labels": st.dictionaries(st.sampled_from(["gpu", "tier"]), st.sampled_from(["true", "false"])),
        "cordoned": st.booleans(),
        "phase": st.sampled_from([HostPhase.CONNECTED, HostPhase.CONNECTED, HostPhase.PENDING]),
        "kubernetes_version": st.sampled_from(["1.36.3", "1.36.3", "1.20.1", ""]),
        "exposure": st.sampled_from(["None", "LoadBalancer"]),
        "breaker": st.sampled_from(Breaker.values),
        "mode": st.sampled_from(HostMode.values),
        "namespaces": st.sampled_from([[], ["a"]]),
        "capacity": st.just({})
        | st.fixed_dictionaries({"allocatable": AMOUNTS, "requested": AMOUNTS, "requested_by_namespace": st.just({})}),
    }
)
OFFERS = st.sets(
    st.tuples(st.sampled_from(REGIONS[1:]), st.sampled_from(["acme", "globex", "payments", "search", "foreign"]))
)
WISHES = st.fixed_dictionaries(
    {
        "size": st.sampled_from(["small", "medium"]),
        "region": st.sampled_from(REGIONS),
        "host_labels": st.just({}) | st.just({"gpu": "true"}),
        "exposure": st.sampled_from(["", "None", "LoadBalancer"]),
    }
)
ORGANIZATIONS = ("acme", "globex")


def made(world, number: int, *, whose, to_all, to_organizations, to_projects, **fields) -> HostCluster:
    own = whose != "platform"
    host = host_row(
        f"h-{number}",
        scope=HostScope.ORGANIZATION if own else HostScope.PLATFORM,
        organization=getattr(world, whose) if own else None,
        offered_to_all=to_all and not own,
        surveyed_at=timezone.now(),
        **fields,
    )
    host.offered_to_organizations.set(getattr(world, name) for name in to_organizations)
    host.offered_to_projects.set(getattr(world, name) for name in to_projects)
    return host


def is_offered(described: dict[str, Any], offers: set[tuple[str, str]]) -> bool:
    """To acme/payments, by the words of the promise and not by the code that keeps it."""
    platform = described["whose"] == "platform"
    by_region = {(described["region"], "acme"), (described["region"], "payments")} & offers
    return bool(
        described["whose"] == "acme"
        or "acme" in described["to_organizations"]
        or "payments" in described["to_projects"]
        or (platform and (described["to_all"] or by_region))
    )


def in_a_world_of_its_own(world, check, fleet, offers) -> None:
    with transaction.atomic():
        hosts = [made(world, number, **described) for number, described in enumerate(fleet)]
        for region, name in offers:
            noun = "organization" if name in ORGANIZATIONS else "project"
            RegionOffer.objects.create(region=region, **{noun: getattr(world, name)})
        check(hosts)
        transaction.set_rollback(True)


@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fleet=st.lists(HOSTS, max_size=6), offers=OFFERS, wish=WISHES)
def test_placement_never_chooses_a_host_that_is_not_offered_and_every_offered_one_has_its_reason(
    world, fleet, offers, wish
):
    def check(hosts) -> None:
        choice = hosts_choose(project=world.payments, wish=PlacementWish(kubernetes_version="1.36.3", **wish))
        offered = {host.name for host, described in zip(hosts, fleet, strict=True) if is_offered(described, offers)}
        fitting, left_out = {host.name for host in choice.fitting}, set(choice.left_out)
        assert fitting | left_out == offered
        assert not fitting & left_out
        assert set(hosts_offered(world.payments).values_list("name", flat=True)) == offered
        assert all(choice.left_out.values())
        told = choice.why() if fitting else choice.explain()
        for host in hosts:
            assert (f"{host.name}:" in told or f"{host.name} " in told) == (host.name in offered)
        for candidate in choice.candidates:
            _fits(candidate, wish)

    in_a_world_of_its_own(world, check, fleet, offers)


def _fits(candidate: Candidate, wish) -> None:
    host, room = candidate.host, candidate.room
    assert host.phase == HostPhase.CONNECTED
    assert not host.cordoned
    assert wish["region"] in ("", host.region)
    assert wish["host_labels"].items() <= host.labels.items()
    assert wish["exposure"] in ("", "None", host.exposure)
    assert room is None or room.cpu.free >= {"small": 220, "medium": 320}[wish["size"]]
