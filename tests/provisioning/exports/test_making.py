"""Objects of many kinds are taken away and made again on a real API server."""

import uuid
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from dev.waiting import wait_until
from provisioning.drivers.kinds import CONFIG_MAP, NAMESPACE, Json
from provisioning.drivers.kube import KubeClient
from provisioning.exports.comparing import compared, found_again, sentence_of
from provisioning.exports.making import Maker, NotYet, Outcome, Way
from provisioning.exports.progress import Progress
from provisioning.exports.restoring import RestorePlan, restore_plan
from tests.e2e.belongings import belongings, obj
from tests.e2e.owning import Owning

WAY = Way(mark="0123456789ab", overwrite=False)


def all_made(kube: KubeClient, plan: RestorePlan, way: Way = WAY) -> Progress:
    """Each of them, as the flow does it."""
    progress, maker = Progress(), Maker(kube, plan, way)

    def made(number: int) -> bool:
        try:
            progress.note(number, maker.make(plan.wanted[number]))
        except NotYet as later:
            if later.alone and number not in progress.again:
                progress.again.append(number)
            return later.alone and not tried_again
        return True

    tried_again = False
    for number, planned in enumerate(plan.wanted):
        wait_until(partial(made, number), seconds=60, what=f"{planned.key} is not made")
    tried_again = True
    for number in progress.again:
        wait_until(partial(made, number), seconds=60, what=f"{plan.wanted[number].key} is not made")
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


@pytest.fixture(scope="module")
def restored(real: KubeClient, plan: RestorePlan) -> Progress:
    """All of it, made again once."""
    return all_made(real, plan)


def test_everything_that_was_exported_is_there_again_and_the_same(
    real: KubeClient, plan: RestorePlan, restored: Progress
) -> None:
    assert len({each.key.kind for each in plan.wanted}) >= 25
    progress = restored
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


def test_done_again_by_another_worker_it_finds_what_it_made_itself(
    real: KubeClient, plan: RestorePlan, restored: Progress
) -> None:
    progress = all_made(real, plan)
    assert progress.counts == {Outcome.CREATED: len(plan.wanted)}


def test_another_restore_finds_the_same_and_leaves_alone_what_differs(
    real: KubeClient, plan: RestorePlan, restored: Progress
) -> None:
    real.patch_merge(CONFIG_MAP, "derived", "again-1", {"data": {"b": "changed", "more": "x"}})
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


def test_asked_to_it_brings_what_differs_to_what_was_exported(
    real: KubeClient, plan: RestorePlan, restored: Progress
) -> None:
    real.patch_merge(CONFIG_MAP, "derived", "again-1", {"data": {"b": "changed", "more": "x"}})
    way = Way(mark="a-third-one", overwrite=True)
    progress = all_made(real, plan, way)
    assert progress.counts == {Outcome.SAME: len(plan.wanted) - 1, Outcome.OVERWRITTEN: 1}
    assert found(real, plan, "ConfigMap", "derived")["data"] == {"b": "2"}
    assert all_made(real, plan, way).counts == progress.counts
    assert Counter(compared(plan, progress, found_again(real, plan)).counts)["equal"] == len(plan.wanted)


# What is not as usual, each in a namespace of its own


@pytest.fixture
def space(real: KubeClient) -> Iterator[str]:
    name = f"restoring-{uuid.uuid4().hex[:8]}"
    real.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    real.delete(NAMESPACE, name)


def one_made(kube: KubeClient, way: Way, *objects: Json) -> tuple[RestorePlan, Progress]:
    plan = restore_plan(objects)
    return plan, all_made(kube, plan, way)


def way_of(space: str) -> Way:
    return Way(mark=space, overwrite=False)


def test_owners_in_a_ring_own_each_other_again(real: KubeClient, space: str) -> None:
    ring = [
        obj(
            "v1",
            "ConfigMap",
            name,
            space,
            data={"of": name},
            meta={"uid": f"uid-of-{name}", "ownerReferences": [owned_by(by)]},
        )
        for name, by in (("one", "two"), ("two", "one"))
    ]
    plan, progress = one_made(real, way_of(space), *ring)
    assert progress.counts == {Outcome.CREATED: 2}
    after = {key.name: each for key, each in found_again(real, plan).items() if key.namespace == space}
    for name, by in (("one", "two"), ("two", "one")):
        (reference,) = after[name]["metadata"]["ownerReferences"]
        assert reference["uid"] == after[by]["metadata"]["uid"]


def owned_by(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": f"uid-of-{name}"}


def test_what_lost_its_owner_stands_alone_and_says_so(real: KubeClient, space: str) -> None:
    orphan = obj("v1", "ConfigMap", "orphan", space, meta={"ownerReferences": [owned_by("nobody")]})
    plan, progress = one_made(real, way_of(space), orphan)
    assert progress.told["0"] == [Outcome.CREATED, f"Its owner is not there: ConfigMap {space}/nobody."]
    (entry,) = compared(plan, progress, found_again(real, plan)).listed
    assert entry["why"] == f"Its owner is not there: ConfigMap {space}/nobody."


def test_a_kind_in_a_version_that_is_not_served_is_taken_in_another_one(real: KubeClient, space: str) -> None:
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}
    old = obj("policy/v1beta1", "PodDisruptionBudget", "most", space, spec=spec)
    plan, progress = one_made(real, way_of(space), old)
    assert progress.counts == {Outcome.CREATED: 1}
    assert compared(plan, progress, found_again(real, plan)).counts["equal"] == 1


def test_a_kind_that_is_served_in_no_version_and_what_the_server_refuses_are_listed(
    real: KubeClient, space: str
) -> None:
    unknown = obj("unknown.example.com/v1", "Gadget", "x", space)
    wrong = obj("v1", "Service", "x", space, spec={"ports": [{"port": 99999}]})
    plan, progress = one_made(real, way_of(space), unknown, wrong)
    result = compared(plan, progress, found_again(real, plan))
    told = {each["object"]: (each["what"], each["why"]) for each in result.listed}
    assert told[f"Gadget.unknown.example.com {space}/x"] == (
        "refused",
        "This cluster serves no Gadget of unknown.example.com, in any version.",
    )
    what, why = told[f"Service {space}/x"]
    assert what == "refused"
    assert "must be between 1 and 65535" in why


def test_what_a_server_quotes_of_an_object_that_it_refuses_is_told_to_nobody(real: KubeClient, space: str) -> None:
    def job(password: str) -> Json:
        env = [{"name": "PASSWORD", "value": password}]
        spec = {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a", "env": env}]}
        return obj("batch/v1", "Job", "migrate", space, spec={"template": {"spec": spec}})

    one_made(real, Way(mark="first", overwrite=False), job("of-now"))
    plan, progress = one_made(real, Way(mark="second", overwrite=True), job("hunter2"))
    (entry,) = compared(plan, progress, found_again(real, plan)).listed
    assert entry["what"] == "refused"
    assert 'Job.batch "migrate" is invalid: [spec.template' in entry["why"]
    assert "hunter2" not in str(entry)


def test_what_has_no_namespace_any_more_waits_and_makes_nothing(real: KubeClient, space: str) -> None:
    plan = restore_plan([obj("v1", "ConfigMap", "x", f"{space}-gone")])
    with pytest.raises(NotYet) as caught:
        Maker(real, plan, way_of(space)).make(plan.wanted[0])
    assert caught.value.alone
    assert caught.value.otherwise.outcome == Outcome.REFUSED
