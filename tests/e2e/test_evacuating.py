"""A host that works is emptied with one command: what runs goes on elsewhere, what sleeps sleeps on there."""

from collections.abc import Callable, Iterator, Mapping

import pytest

from localkube import LocalHost
from tests.commands import Kubectl, Marina
from tests.e2e.api import Api, Json

pytestmark = pytest.mark.localkube

LEAVING, STAYING = "leaving", "staying"
LABELS = {"e2e": "evacuating"}
AWAKE, ASLEEP, KEPT = "goer", "sleeper", "keeper"


@pytest.fixture(scope="module")
def hosts_of_its_own(staff: Api, local_hosts: Mapping[str, LocalHost]) -> None:
    for name, host in ((LEAVING, local_hosts["harbor-east"]), (STAYING, local_hosts["harbor-west"])):
        staff.ended(staff.connect(name, host.kubeconfig.read_text(), exposure="Local", labels=LABELS), seconds=120)


@pytest.fixture(scope="module")
def made(
    hosts_of_its_own: None, developer: Api, project: str, inside_of: Callable[[str], Kubectl]
) -> Iterator[dict[str, Json]]:
    """One that works, one that sleeps, and one with a Pod of nobody's, which needs a choice."""
    names, spec = (AWAKE, ASLEEP, KEPT), {"host_labels": LABELS}
    for operation in [developer.create(name, project=project, host=LEAVING, spec=spec) for name in names]:
        developer.ended(operation, seconds=240)
    found = {name: developer.cluster(name) for name in names}
    for name in names:
        inside_of(name)("create", "configmap", "mine", f"--from-literal=name={name}")
    inside_of(AWAKE)("create", "deployment", "web", "--image", "web:1")
    inside_of(KEPT)("run", "lone", "--image", "lone:1")
    asleep = developer("POST", f"/virtual-clusters/{found[ASLEEP]['id']}/sleep", status=202)["operation"]
    developer.ended(asleep, seconds=120)
    yield found
    for operation in [developer.delete(name) for name in names]:
        developer.ended(operation, seconds=240)


@pytest.fixture(scope="module")
def told(made: dict[str, Json], platform: Marina) -> str:
    """How it ended: one stays, so that it is no success."""
    options = ("--to", STAYING, "--max-parallel", "3", "--watch", "--yes")
    return platform("host", "evacuate", LEAVING, *options, exit_code=1).stderr


def standing(developer: Api, name: str) -> tuple[str, str]:
    cluster = developer.cluster(name)
    return cluster["placement"]["host"]["name"], cluster["phase"]


def test_all_that_can_leave_has_left_and_is_as_it_was(
    told: str, developer: Api, staff: Api, inside_of: Callable[[str], Kubectl]
) -> None:
    assert staff.host(LEAVING)["cordoned"]
    assert standing(developer, AWAKE) == (STAYING, "Ready")
    assert standing(developer, ASLEEP) == (STAYING, "Asleep")
    inside = inside_of(AWAKE)
    assert inside.get("configmap", "mine")["data"] == {"name": AWAKE}
    inside("wait", "--for=condition=Available", "deployment/web", "--timeout=60s")


def test_what_needs_a_choice_stays_says_so_and_leaves_once_it_is_made(
    told: str, developer: Api, platform: Marina, inside_of: Callable[[str], Kubectl]
) -> None:
    name = f"evacuate-{LEAVING}"
    assert f"The rollout {name} is Completed." in told
    assert f"marina rollout get {name} --members Failed" in told
    assert standing(developer, KEPT) == (LEAVING, "Ready")
    failed = platform("rollout", "get", name, "--members", "Failed").stdout
    assert KEPT in failed
    assert "1 Pod has no controller" in failed
    platform("host", "evacuate", LEAVING, "--to", STAYING, "--pods", "leave", "--watch", "--yes")
    assert standing(developer, KEPT) == (STAYING, "Ready")
    assert inside_of(KEPT).get("configmap", "mine")["data"] == {"name": KEPT}


def test_the_emptied_host_keeps_copies_until_they_are_given_up_and_is_disconnected_then(
    told: str, developer: Api, platform: Marina, staff: Api, inside_of: Callable[[str], Kubectl]
) -> None:
    """Nobody is told to delete what lives elsewhere, and it does live on."""
    assert all(standing(developer, name)[0] == STAYING for name in (AWAKE, ASLEEP, KEPT))
    refused = " ".join(platform("host", "disconnect", LEAVING, "--yes", exit_code=5).stderr.split())
    assert f"{LEAVING} keeps copies of 3 clusters that moved away, until " in refused
    assert f"marina host disconnect {LEAVING} --forget-retained" in refused
    assert "delete" not in refused.lower()
    platform("host", "disconnect", LEAVING, "--forget-retained", "--wait", "--yes")
    assert staff.list("/host-clusters", name=LEAVING) == []
    assert standing(developer, AWAKE) == (STAYING, "Ready")
    assert developer.cluster(AWAKE)["retained"] == []
    assert inside_of(AWAKE).get("configmap", "mine")["data"] == {"name": AWAKE}
