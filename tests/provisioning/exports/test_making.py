"""Objects of many kinds are taken away and made again on a real API server."""

from collections import Counter
from collections.abc import Iterator

import pytest

from dev.waiting import wait_until
from provisioning.drivers.kinds import Json
from provisioning.drivers.kube import KubeClient
from provisioning.exports.comparing import compared, found_again, sentence_of
from provisioning.exports.making import Maker, NotYet, Outcome, Way
from provisioning.exports.progress import Progress
from provisioning.exports.restoring import RestorePlan, restore_plan
from tests.e2e.belongings import belongings
from tests.e2e.owning import Owning

WAY = Way(mark="0123456789ab", overwrite=False)


def all_made(kube: KubeClient, plan: RestorePlan, way: Way = WAY) -> Progress:
    """Each of them, as the flow does it."""
    progress, maker = Progress(), Maker(kube, plan, way)
    for number, planned in enumerate(plan.wanted):

        def made(number: int = number, planned: object = planned) -> bool:
            try:
                progress.note(number, maker.make(plan.wanted[number]))
            except NotYet:
                return False
            return True

        wait_until(made, seconds=60, what=f"{planned.key} is not made")
    return progress


@pytest.fixture(scope="module")
def owned() -> list[Json]:
    return belongings(namespaces=2, name="again")


@pytest.fixture(scope="module")
def exported(real: KubeClient, owned: list[Json]) -> Iterator[list[Json]]:
    """What an export had of objects that are gone now."""
    owning = Owning(real)
    owning.make(owned)
    found = owning.exported(owned)
    owning.unmake(owned)
    yield found
    owning.unmake(owned)


@pytest.fixture(scope="module")
def plan(exported: list[Json]) -> RestorePlan:
    return restore_plan(exported)


def test_everything_that_was_exported_is_there_again_and_the_same(real: KubeClient, plan: RestorePlan) -> None:
    assert len({each.key.kind for each in plan.wanted}) >= 25
    progress = all_made(real, plan)
    assert progress.counts == {Outcome.CREATED: len(plan.wanted)}
    result = compared(plan, progress, found_again(real, plan))
    assert not result.listed, result.listed
    assert result.counts["equal"] == len(plan.wanted)
    assert sentence_of(result.counts).startswith(f"{len(plan.wanted)} of {len(plan.wanted)} objects are as")
    derived = found(real, plan, "ConfigMap", "derived")
    settings = found(real, plan, "ConfigMap", "settings")
    assert derived["metadata"]["ownerReferences"][0]["uid"] == settings["metadata"]["uid"]
    assert settings["metadata"]["finalizers"] == ["belongings.example.com/kept"]
    assert found(real, plan, "Gadget", "first")["status"] == {"phase": "Done"}
    assert found(real, plan, "Plain", "second")["status"] == {"phase": "Kept"}


def found(kube: KubeClient, plan: RestorePlan, kind: str, name: str) -> Json:
    key = next(each.key for each in plan.wanted if (each.key.kind, each.key.name) == (kind, name))
    return found_again(kube, plan)[key]


def test_done_again_by_another_worker_it_finds_what_it_made_itself(real: KubeClient, plan: RestorePlan) -> None:
    progress = all_made(real, plan)
    assert progress.counts == {Outcome.CREATED: len(plan.wanted)}


def test_another_restore_finds_the_same_and_leaves_alone_what_differs(real: KubeClient, plan: RestorePlan) -> None:
    kind = Owning(real).served({"apiVersion": "v1", "kind": "ConfigMap"}).kind
    real.patch_merge(kind, "derived", "again-1", {"data": {"b": "changed", "more": "x"}})
    other = Way(mark="another-one", overwrite=False)
    progress = all_made(real, plan, other)
    assert progress.counts == {Outcome.SAME: len(plan.wanted) - 1, Outcome.CONFLICT: 1}
    result = compared(plan, progress, found_again(real, plan))
    (entry,) = result.listed
    assert (entry["object"], entry["what"], entry["paths"]) == (
        "ConfigMap again-1/derived",
        "conflict",
        ["data.b", "data.more"],
    )
    after = found(real, plan, "ConfigMap", "derived")
    assert after["data"] == {"b": "changed", "more": "x"}


def test_asked_to_it_brings_what_differs_to_what_was_exported(real: KubeClient, plan: RestorePlan) -> None:
    way = Way(mark="a-third-one", overwrite=True)
    progress = all_made(real, plan, way)
    assert progress.counts == {Outcome.SAME: len(plan.wanted) - 1, Outcome.OVERWRITTEN: 1}
    assert found(real, plan, "ConfigMap", "derived")["data"] == {"b": "2"}
    assert all_made(real, plan, way).counts == progress.counts
    assert Counter(compared(plan, progress, found_again(real, plan)).counts)["equal"] == len(plan.wanted)
