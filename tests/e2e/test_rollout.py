"""Ten clusters of a real host are upgraded by one rollout, canary first, never more at once than it may."""

from collections.abc import Iterator

import pytest

from dev.demo_people import DemoPeople
from dev.stack import Stack
from dev.waiting import wait_until
from tests.conftest import TestHost
from tests.e2e.api import Api, Json

pytest.importorskip("clusters.services.upgrading")

COUNT, PARALLEL = 10, 3
OLD, NEW = "1.35.4", "1.36.3"
LABELS = {"rollout": "e2e"}
NAMES = [f"roll-{number}" for number in range(COUNT)]


@pytest.fixture(scope="module")
def admin(stack: Stack, people: DemoPeople) -> Api:
    return Api(server=stack.url, handle=people.admin.handle, password=people.admin.password)


@pytest.fixture(scope="module")
def fleet(home: TestHost, admin: Api, project: str) -> Iterator[list[str]]:
    spec = {"kubernetes_version": OLD, "size": "small"}
    made = [admin.create(name, project=project, host=home.name, spec=spec, labels=LABELS) for name in NAMES]
    for operation in made:
        admin.ended(operation, seconds=600)
    yield NAMES
    for operation in [admin.delete(name) for name in NAMES]:
        admin.ended(operation, seconds=600)


def body(project: str, **more: object) -> Json:
    return {
        "name": "e2e-spring",
        "action": "upgrade",
        "project": project,
        "selector": {"labels": LABELS, "kubernetes_version": "1.35"},
        "to": {"kubernetes_version": NEW},
        "waves": ["1", "50%", "100%"],
        "max_parallel": PARALLEL,
        **more,
    }


def test_ten_real_clusters_are_upgraded_canary_first(fleet: list[str], admin: Api, project: str) -> None:
    tried = admin("POST", "/rollouts?dry_run=true", body(project), status=201)
    assert [each["total"] for each in tried["waves"]] == [1, 4, 5]
    made = admin("POST", "/rollouts", body(project), status=201)
    item = f"/rollouts/{made['id']}"
    most = [0]

    def ended() -> bool:
        now = admin.get(item)
        most.append(now["clusters"]["running"])
        assert now["state"] != "Halted", admin.list(f"{item}/members", state="Failed")
        return bool(now["finished_at"])

    wait_until(ended, seconds=1800, what="the rollout did not end")
    assert admin.get(item)["state"] == "Succeeded"
    assert 1 < max(most) <= PARALLEL
    assert {admin.cluster(name)["placement"]["kubernetes_version"].removeprefix("v") for name in fleet} == {NEW}
    members = admin.list(f"{item}/members")
    assert [each["wave"] for each in members] == [1, *[2] * 4, *[3] * 5]
    canary, rest = members[0], members[1:]
    assert all(each["started_at"] >= canary["finished_at"] for each in rest)
