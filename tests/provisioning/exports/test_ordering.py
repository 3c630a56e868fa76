"""The order in which objects are made again: whatever one leans on comes before it."""

import random

from hypothesis import given
from hypothesis import strategies as st

from provisioning.drivers.kinds import Json
from provisioning.exports.identity import ObjectId, id_of
from provisioning.exports.ordering import Phase, ordered, phase_of
from tests.provisioning.exports.samples import SAMPLES, obj, owner


def named(objects: list[Json]) -> list[str]:
    return [str(id_of(each)) for each in objects]


def test_phases_follow_each_other_where_nothing_leans_on_a_later_one() -> None:
    without_owners = [each for each in SAMPLES if "ownerReferences" not in each["metadata"]]
    phases = [phase_of(each) for each in ordered(without_owners)]
    assert phases == sorted(phases)
    assert phases[0] is Phase.KINDS
    assert phases[-1] is Phase.WEBHOOKS


def test_the_order_does_not_depend_on_how_the_export_was_sorted() -> None:
    shuffled = list(SAMPLES)
    random.Random(7).shuffle(shuffled)
    assert ordered(shuffled) == ordered(list(SAMPLES))


def test_an_owner_comes_before_what_it_owns_whatever_their_phases() -> None:
    tenant = obj("example.com/v1", "Tenant", "blue")
    space = obj("v1", "Namespace", "blue", meta={"ownerReferences": [owner("Tenant", "blue", "u", "example.com/v1")]})
    inside = obj("v1", "ConfigMap", "in-it", "blue")
    definition = obj(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "tenants.example.com",
        spec={"group": "example.com", "names": {"kind": "Tenant"}},
    )
    found = named(ordered([inside, space, tenant, definition]))
    assert found == [
        "CustomResourceDefinition.apiextensions.k8s.io tenants.example.com",
        "Tenant.example.com blue",
        "Namespace blue",
        "ConfigMap blue/in-it",
    ]


def test_a_definition_that_is_owned_still_comes_before_its_resources() -> None:
    ours = {"ownerReferences": [owner("ConfigMap", "bundle", "u")]}
    definition = obj(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "tenants.example.com",
        meta={"ownerReferences": [owner("Addon", "bundle", "u", "addons.example.com/v1")]},
        spec={"group": "example.com", "names": {"kind": "Tenant"}},
    )
    addon = obj("addons.example.com/v1", "Addon", "bundle")
    found = named(ordered([obj("example.com/v1", "Tenant", "blue", meta=ours), definition, addon]))
    assert found.index("Addon.addons.example.com bundle") < found.index(str(id_of(definition)))
    assert found[-1] == "Tenant.example.com blue"


def test_of_a_ring_of_owners_none_is_lost() -> None:
    ring = [
        obj("v1", "ConfigMap", name, "a", meta={"ownerReferences": [owner("ConfigMap", by, "u")]})
        for name, by in (("one", "two"), ("two", "three"), ("three", "one"))
    ]
    selfish = obj("v1", "ConfigMap", "self", "a", meta={"ownerReferences": [owner("ConfigMap", "self", "u")]})
    assert sorted(named(ordered([*ring, selfish]))) == sorted(named([*ring, selfish]))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20), st.randoms())
def test_any_graph_of_owners_is_ordered_completely(edges: list[tuple[int, int]], dice: random.Random) -> None:
    down = [(low, high) for low, high in edges if low < high]
    objects = [
        obj(
            "example.com/v1" if number % 2 else "v1",
            "Gadget" if number % 2 else "ConfigMap",
            f"n{number}",
            "a",
            meta={
                "ownerReferences": [
                    owner("Gadget" if low % 2 else "ConfigMap", f"n{low}", "u", "example.com/v1" if low % 2 else "v1")
                    for low, high in down
                    if high == number
                ]
            },
        )
        for number in range(10)
    ]
    dice.shuffle(objects)
    places = {id_of(each): place for place, each in enumerate(ordered(objects))}
    assert len(places) == 10

    def key(number: int) -> ObjectId:
        return (
            ObjectId("example.com", "Gadget", "a", f"n{number}")
            if number % 2
            else ObjectId("", "ConfigMap", "a", f"n{number}")
        )

    assert all(places[key(low)] < places[key(high)] for low, high in down)
