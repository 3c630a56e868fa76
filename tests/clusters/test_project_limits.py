"""A project's limits: how many clusters it may have, and how long they are meant to live."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from clusters.models import VirtualCluster, VirtualClusterPhase
from tests.clusters.conftest import problem, refused
from tests.clusters.making import cluster_row

URL = "/api/v1/virtual-clusters"


@pytest.fixture
def limited(world):
    """acme/payments may have one cluster, for seven days."""
    world.payments.cluster_limit, world.payments.cluster_lifetime_days = 1, 7
    world.payments.save()
    return world.payments


def create(client, name: str = "hello", **more):
    return client.post(URL, {"project": "acme/payments", "name": name, **more}, "json")


def test_a_full_project_takes_no_more_and_says_the_number_and_what_to_do(world, people, dan, host, limited):
    assert create(dan).status_code == 202
    body = problem(create(dan, "second"), 409, "cluster-limit")
    assert body["detail"] == "acme/payments has 1 virtual cluster, and its limit is 1."
    assert "Delete one" in body["hint"]
    assert "admin of acme" in body["hint"]
    VirtualCluster.objects.update(phase=VirtualClusterPhase.DELETED)
    assert create(dan, "second").status_code == 202, "what was deleted counts no more"


def test_a_project_without_a_limit_takes_any_number(world, people, dan, host):
    for number in range(3):
        cluster_row(world, f"c-{number}")
    assert create(dan).status_code == 202
    assert VirtualCluster.objects.get(name="hello").expires_at is None


@pytest.mark.parametrize(("lifetime", "days"), [(None, 7), (2 * 86400, 2)])
def test_a_cluster_shows_until_when_it_is_meant_to_live(world, people, dan, host, limited, lifetime, days):
    answer = create(dan, **({"lifetime": lifetime} if lifetime else {}))
    shown = parse_datetime(answer.json()["virtual_cluster"]["expires_at"])
    assert shown is not None
    assert abs(shown - timezone.now() - timedelta(days=days)) < timedelta(minutes=1)


@pytest.mark.parametrize("lifetime", [0, 599, 7 * 86400 + 1])
def test_a_lifetime_stays_within_the_projects(world, people, dan, host, limited, lifetime):
    assert "to 7 days)" in refused(create(dan, lifetime=lifetime), "lifetime")["accepted"]
