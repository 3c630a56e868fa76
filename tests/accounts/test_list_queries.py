"""Every list costs the same number of queries with 10 rows and with 1,000. A list without a maker of rows fails."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from tests.accounts.conftest import World, give, person, signed_in
from tests.accounts.list_rows import MAKERS, address_of
from tests.routes import Route, routes

FEW, MANY = 10, 1000
MOST_QUERIES = 12
BESIDE = ("tokens", "kubeconfigs_given")
"""Actions that list, and are not called so."""
FIXED = {
    "notification-preferences": "one row for each kind that there is",
    "organizations/{organization}/roles": "at most 100 an organization; tests/accounts/test_custom_roles.py counts",
}
"""Lists that cannot grow, and why."""

LISTS = [
    route
    for route in routes()
    if route.method == "GET" and route.action in ("list", *BESIDE) and route.path not in FIXED
]


def test_every_list_has_a_maker_of_rows():
    assert {route.path for route in LISTS} == set(MAKERS), "add a function that makes rows with bulk_create"


@pytest.mark.parametrize("route", LISTS, ids=lambda route: route.path)
def test_a_list_costs_the_same_number_of_queries_with_10_and_with_1000_rows(world, route: Route):
    make = MAKERS[route.path]
    client = signed_in(_asker(world, route))
    client.get("/api/v1/me")  # the token's last use is written once
    address = address_of(world, route.path)
    make(world, range(FEW))
    few = _cost(client, address)
    make(world, range(FEW, MANY))
    many = _cost(client, address)
    assert len(few) == len(many), "\n".join(many)
    assert len(many) <= MOST_QUERIES, "\n".join(many)


def _asker(world: World, route: Route) -> User:
    if route.path == "projects/joinable":  # who sees a project joins it no more
        mia = person("mia")
        give(mia, "member", world.acme)
        return mia
    User.objects.filter(pk=world.olivia.pk).update(is_staff=True)
    return world.olivia


def _cost(client: APIClient, address: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(f"/api/v1/{address}?page_size=200")
    assert answer.status_code == 200, answer.content
    assert len(answer.json()["results"]) >= FEW
    return [query["sql"] for query in captured]
