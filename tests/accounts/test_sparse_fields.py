"""`?fields=`: lists and single objects answer what is asked for, and the id; what is no field is refused by name."""

import pytest

from accounts.models import User
from tests.accounts.conftest import World, signed_in
from tests.accounts.list_rows import MAKERS, address_of
from tests.routes import Route, routes

LISTS = [route for route in routes() if route.method == "GET" and route.action == "list"]
SINGLE = "/api/v1/projects"


@pytest.fixture
def olivia(world: World):
    User.objects.filter(pk=world.olivia.pk).update(is_staff=True)
    return signed_in(world.olivia)


@pytest.mark.parametrize("route", LISTS, ids=lambda route: route.path)
def test_every_list_answers_the_fields_that_are_asked_for_and_refuses_unknown_ones(world, olivia, route: Route):
    address = f"/api/v1/{address_of(world, route.path)}"
    if route.path in MAKERS:
        MAKERS[route.path](world, range(3))
    whole = olivia.get(address)
    assert whole.status_code == 200, whole.content
    refusal = olivia.get(f"{address}?fields=nonsense")
    (error,) = refusal.json()["errors"]
    assert (refusal.status_code, refusal["Content-Type"]) == (400, "application/problem+json")
    assert (error["field"], error["message"]) == ("fields", "There is no field 'nonsense' here.")
    for row in whole.json()["results"]:
        assert all(name in error["accepted"] for name in row)
        name = next(each for each in row if each != "id")
        answer = olivia.get(f"{address}?fields={name}").json()
        assert {frozenset(each) for each in answer["results"]} == {frozenset({name, "id"} & set(row))}
        assert set(answer) == set(whole.json())
        break


def test_one_object_answers_them_too_with_the_etag_of_the_whole_of_it(world, olivia):
    address = f"{SINGLE}/{world.payments.pk}"
    whole, part = olivia.get(address), olivia.get(f"{address}?fields=name,%20display_name")
    assert part.json() == {name: whole.json()[name] for name in ("id", "name", "display_name")}
    assert part["ETag"] == whole["ETag"]
    changed = olivia.patch(address, {"display_name": "Pay"}, "json", headers={"If-Match": part["ETag"]})
    assert (changed.status_code, changed.json()["name"]) == (200, "payments"), "a change answers with the whole"
    assert olivia.patch(address, {"display_name": "No"}, "json", headers={"If-Match": '"r1"'}).status_code == 412


def test_pages_lead_on_with_the_same_fields(world, olivia):
    first = olivia.get(f"{SINGLE}?fields=name&page_size=1").json()
    second = olivia.get(first["next"]).json()
    assert [set(row) for row in (*first["results"], *second["results"])] == [{"id", "name"}] * 2


@pytest.mark.parametrize(
    ("asked", "messages"),
    [
        ("", ["The name of a field is missing."]),
        ("name,", ["The name of a field is missing."]),
        ("nam,name,NAME", ["There is no field 'nam' here.", "There is no field 'NAME' here."]),
        ("organization.name", ["There is no field 'organization.name' here."]),
        ("name%00", ["There is no field 'name\\x00' here."]),
    ],
)
@pytest.mark.parametrize("single", [False, True])
def test_each_name_that_is_none_is_told_with_those_that_are(world, olivia, asked, messages, single):
    address = f"{SINGLE}/{world.payments.pk}" if single else SINGLE
    answer = olivia.get(f"{address}?fields={asked}")
    assert answer.status_code == 400
    errors = answer.json()["errors"]
    assert [(each["field"], each["message"]) for each in errors] == [("fields", message) for message in messages]
    assert all("id, name, display_name" in each["accepted"] for each in errors)


def test_several_of_the_parameter_add_up(world, olivia):
    (row, *_) = olivia.get(f"{SINGLE}?fields=name&fields=created_at,name").json()["results"]
    assert set(row) == {"id", "name", "created_at"}


def test_whoever_may_not_see_an_object_learns_nothing_by_its_fields(world, olivia):
    assert olivia.get(f"{SINGLE}/{world.foreign.pk}?fields=name").status_code == 404
