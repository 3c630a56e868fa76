"""What a move may rely on of whatever carries a cluster's state. Another `Carrier` has to be added to CARRIERS."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import pytest

from clusters.restoration import PROGRESS
from provisioning.drivers.kinds import CONFIG_MAP, DEPLOYMENT, JOB, Json
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError
from provisioning.engine.flow import StepResult, Wait
from provisioning.exports.digests import object_digest
from provisioning.flows.migrate import MIGRATE
from provisioning.moving.by_objects import ByObjects
from provisioning.moving.carrier import Carrier
from provisioning.moving.changes import Changes
from provisioning.moving.holding import is_held, let_go
from provisioning.moving.service_addresses import ServicesWay
from provisioning.steps.moving import both
from provisioning.steps.restoring import mark_of
from tests.e2e.moving_here import with_step
from tests.provisioning.moving.conftest import Wanderer
from tests.provisioning.moving.test_carrying import deployed, ends, put

CARRIERS: Final[tuple[Carrier, ...]] = (ByObjects(),)
SHOWN: Final = "shown"
T = TypeVar("T")


class Ways:
    """A carrier between the source of a move and its target, which stands ready and is empty."""

    def __init__(self, carrier: Carrier, context: StepContext) -> None:
        self.carrier, self.context = carrier, context

    def seed(self) -> dict[str, int]:
        for part in (self.carrier.seed_foundations, self.carrier.seed_objects):
            self._finished(part)
        return dict(self.carrier.seeded_up_to(self.context))

    def _finished(self, part: Callable[[StepContext], StepResult]) -> None:
        for _ in range(5):
            if not isinstance(part(self.context), Wait):
                return
        pytest.fail("Nothing that it could wait for is missing.")

    def forget_progress(self) -> None:
        """As after a crash before anything of it was noted."""
        params = {key: value for key, value in self.context.params.items() if key != PROGRESS}
        self.context.write(self.context.operation, params=params)

    @contextmanager
    def both(self) -> Iterator[tuple[KubeClient, KubeClient]]:
        with both(self.context) as (source, target):
            yield source, target

    def changes(self, since: dict[str, int]) -> Changes:
        with self.both() as (source, target):
            return self.carrier.changes(source, target, since, before_page=lambda: None)

    def carry(self, since: dict[str, int]) -> dict[str, int]:
        """Up to where it was carried by that."""
        changes = self.changes(since)
        assert self.effects_of(changes)[1:] == ({}, {})
        return changes.revisions

    def effects_of(self, changes: Changes) -> tuple[int, Any, Any]:
        with self.both() as (_, target):
            carried = self.carrier.carry(target, changes, mark=mark_of(self.context), services=ServicesWay())
        return carried.effects, carried.refused, carried.waiting

    def differing(self, since: dict[str, int]) -> list[str]:
        with self.both() as (source, target):
            compared = self.carrier.compare(source, target, since, before_page=lambda: None, services=ServicesWay())
        assert compared.count
        return compared.differing

    def at_source(self, act: Callable[[KubeClient], Any]) -> None:
        with self.both() as (source, _):
            act(source)

    def at_target(self, look: Callable[[KubeClient], T]) -> T:
        with self.both() as (_, target):
            return look(target)


@pytest.fixture(params=CARRIERS, ids=lambda carrier: type(carrier).__name__)
def on_the_way(request: pytest.FixtureRequest, wanderer: Wanderer) -> Callable[[Callable[[Ways], T]], T]:
    """Does something in the middle of a move, once its target is ready, and tells what came of it."""

    def does(act: Callable[[Ways], T]) -> T:
        seen: list[T] = []

        def shows(context: StepContext) -> None:
            seen.append(act(Ways(request.param, context)))
            raise PermanentError("That was all.", code=SHOWN)

        operation = wanderer.move(flow=with_step(MIGRATE, "target-prepare-inside", SHOWN, shows))
        assert operation.error_code == SHOWN, operation.error_message
        return seen[0]

    with wanderer.inside() as kube:
        for name in ("kept", "changed", "gone"):
            put(kube, CONFIG_MAP, name, data={"is": "before"})
        deployed(kube)
    return does


OnTheWay = Callable[[Callable[[Ways], Any]], Any]


def of_users(kube: KubeClient) -> dict[str, str]:
    """Digests of what the tests make, let go."""
    found = [*kube.list(CONFIG_MAP, "shop"), *kube.list(DEPLOYMENT, "shop")]
    return {f"{each['kind']} {each['metadata']['name']}": object_digest(_as_before(each)) for each in found}


def _as_before(obj: Json) -> Json:
    return let_go(obj) if is_held(obj) else obj


def write(kube: KubeClient) -> None:
    """Changes, makes and deletes."""
    kube.patch_merge(CONFIG_MAP, "changed", "shop", {"data": {"is": "after"}})
    put(kube, CONFIG_MAP, "new", data={"is": "new"})
    assert kube.delete(CONFIG_MAP, "gone", "shop")


def same(ways: Ways) -> bool:
    with ways.both() as (source, target):
        return of_users(source) == of_users(target)


def test_a_seed_has_all_that_was_there_and_holds_what_would_run(on_the_way: OnTheWay) -> None:
    def act(ways: Ways) -> tuple[Any, ...]:
        since = ways.seed()
        web = ways.at_target(lambda kube: kube.get(DEPLOYMENT, "web", "shop"))
        return same(ways), ways.differing(since), is_held(web or {"metadata": {}}), (web or {})["spec"]["replicas"]

    assert on_the_way(act) == (True, [], True, 0)


def test_what_is_written_after_the_seed_is_carried_deletions_too(on_the_way: OnTheWay) -> None:
    def act(ways: Ways) -> tuple[Any, ...]:
        since = ways.seed()
        ways.at_source(write)
        was_same = same(ways)
        since = ways.carry(since)
        return was_same, same(ways), ways.differing(since), sorted(ways.at_target(of_users))

    there = ["ConfigMap changed", "ConfigMap kept", "ConfigMap new", "Deployment web"]
    was_same, is_same, differing, names = on_the_way(act)
    assert (was_same, is_same, differing) == (False, True, [])
    assert [name for name in names if "kube-root-ca.crt" not in name] == there


def test_what_was_written_before_the_seed_had_ended_is_not_missed(on_the_way: OnTheWay) -> None:
    def act(ways: Ways) -> bool:
        ways.at_source(write)  # after the export, say
        ways.carry(ways.seed())
        return same(ways)

    assert on_the_way(act)


def test_seeding_and_carrying_twice_changes_nothing(on_the_way: OnTheWay) -> None:
    def act(ways: Ways) -> tuple[Any, ...]:
        since = ways.seed()
        ways.at_source(write)
        changes = ways.changes(since)
        ways.effects_of(changes)
        before = ways.at_target(versions)
        ways.effects_of(changes)  # as after a crash before it was noted
        again = ways.at_target(versions)
        ways.carry(since)
        return before == again, ways.at_target(versions) == before, ways.effects_of(ways.changes(changes.revisions))

    assert on_the_way(act) == (True, True, (0, {}, {}))


def test_a_seed_that_is_made_twice_is_the_same(on_the_way: OnTheWay) -> None:
    def act(ways: Ways) -> bool:
        since = ways.seed()
        before = ways.at_target(versions)
        ways.forget_progress()
        return ways.seed() == since and ways.at_target(versions) == before

    assert on_the_way(act)


def versions(kube: KubeClient) -> dict[str, str]:
    found = [*kube.list(CONFIG_MAP, "shop"), *kube.list(DEPLOYMENT, "shop")]
    return {each["metadata"]["uid"]: each["metadata"]["resourceVersion"] for each in found}


def test_looking_for_changes_changes_nothing(on_the_way: OnTheWay) -> None:
    def act(ways: Ways) -> tuple[bool, int]:
        since = ways.seed()
        ways.at_source(write)
        before = ways.at_target(versions)
        found = ways.changes(since)
        return ways.at_target(versions) == before, len([obj for obj in found.changed if obj["kind"] == CONFIG_MAP.kind])

    assert on_the_way(act) == (True, 2)


def test_what_differs_at_the_target_is_told_by_name(on_the_way: OnTheWay) -> None:
    def act(ways: Ways) -> list[str]:
        since = ways.seed()
        ways.at_target(lambda kube: kube.patch_merge(CONFIG_MAP, "kept", "shop", {"data": {"is": "otherwise"}}))
        ways.at_target(lambda kube: kube.delete(CONFIG_MAP, "gone", "shop"))
        return ways.differing(since)

    assert sorted(on_the_way(act)) == ["ConfigMap shop/gone is missing", "ConfigMap shop/kept differs in data.is"]


def test_a_job_that_ended_after_the_seed_is_not_there_to_be_run_once_more(on_the_way: OnTheWay) -> None:
    def act(ways: Ways) -> tuple[bool, bool]:
        ways.at_source(lambda kube: put(kube, JOB, "load", spec={"template": {"spec": {}}}))
        since = ways.carry(ways.seed())
        was_there = ways.at_target(lambda kube: kube.get(JOB, "load", "shop")) is not None
        ways.at_source(lambda kube: ends(kube, "load"))
        changes = ways.changes(since)
        with ways.both() as (_, target):
            ways.carrier.ended_remove(target, changes)
            return was_there, target.get(JOB, "load", "shop") is None

    assert on_the_way(act) == (True, True)
