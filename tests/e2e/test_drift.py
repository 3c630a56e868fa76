"""What somebody does to a virtual cluster on its host is told in its condition InSync, and is not undone by itself."""

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dev.errors import DevError
from dev.waiting import wait_until
from localkube import Tools
from tests.commands import Marina
from tests.conftest import LOCAL_CHART, TestHost
from tests.e2e.api import Api, Json
from tests.e2e.foreign import Helm, helm_of

NAME = "drifting"
LATER = "0.99.0"


@pytest.fixture(scope="module")
def made(home: TestHost, developer: Api, project: str) -> Iterator[Json]:
    developer.ended(developer.create(NAME, project=project, host=home.name), seconds=240)
    yield developer.cluster(NAME)
    developer.ended(developer.delete(NAME), seconds=240)


@pytest.fixture(scope="module")
def where(made: Json) -> Json:
    placement: Json = made["placement"]
    return placement


@pytest.fixture(scope="module")
def helm(tools: Tools, home: TestHost) -> Helm:
    return helm_of(tools, home)


def in_sync(developer: Api) -> Json:
    found: Json = next(each for each in developer.cluster(NAME)["conditions"] if each["type"] == "InSync")
    return found


def told(developer: Api, status: str, reason: str) -> Json:
    """The condition, as soon as a survey has written that."""

    def written() -> bool:
        found = in_sync(developer)
        return (found["status"], found["reason"]) == (status, reason)

    with suppress(DevError):
        wait_until(written, seconds=40, what="no survey wrote it")
    found = in_sync(developer)
    assert (found["status"], found["reason"]) == (status, reason), found
    return found


def test_a_new_one_is_in_sync(developer: Api, made: Json) -> None:
    assert in_sync(developer)["status"] == "True"


def test_guardrails_that_were_changed_are_named(home: TestHost, developer: Api, where: Json) -> None:
    kubectl, namespace = home.kubectl, where["namespace"]
    kubectl("delete", "networkpolicy", "marina-isolation", "-n", namespace)
    kubectl("patch", "resourcequota", "marina", "-n", namespace, "-p", '{"spec": {"hard": {"pods": "999"}}}')
    message = told(developer, "False", "GuardrailsChanged")["message"]
    wait_until(lambda: "ResourceQuota marina was" in in_sync(developer)["message"], seconds=20, what="Not both told")
    message = in_sync(developer)["message"]
    assert "NetworkPolicy marina-isolation is gone." in message
    assert "ResourceQuota marina was changed." in message
    assert "LimitRange" not in message
    assert message.endswith(f"Bring it back with `marina configure {NAME}`.")


def test_one_whose_replicas_were_taken_away_without_a_mark_is_told_and_not_called_asleep(
    home: TestHost, developer: Api, where: Json
) -> None:
    kubectl, name, namespace = home.kubectl, f"statefulset/{where['release']}", where["namespace"]
    kubectl("scale", name, "--replicas=0", "-n", namespace)
    message = told(developer, "False", "StoppedOutside")["message"]
    assert f"took the replicas of StatefulSet {where['release']} away" in message
    assert "marina-isolation is gone" in message, "the graver finding does not hide the other"
    assert developer.cluster(NAME)["phase"] == "Ready"
    kubectl("scale", name, "--replicas=1", "-n", namespace)
    told(developer, "False", "GuardrailsChanged")


def test_what_was_put_right_outside_is_in_sync_again(
    home: TestHost, developer: Api, made: Json, marina: Marina
) -> None:
    marina("configure", NAME, "--wait")
    assert in_sync(developer)["reason"] == "Configured"
    namespace = made["placement"]["namespace"]
    policy = home.kubectl.get("networkpolicy", "marina-isolation", "-n", namespace)
    home.kubectl("delete", "networkpolicy", "marina-isolation", "-n", namespace)
    told(developer, "False", "GuardrailsChanged")
    del policy["metadata"]["resourceVersion"], policy["metadata"]["uid"]
    home.kubectl("apply", "-f", "-", stdin=json.dumps(policy))
    told(developer, "True", "AsWanted")


def test_values_that_were_changed_by_helm_are_told_by_its_revision(developer: Api, where: Json, helm: Helm) -> None:
    wanted = helm.values(where["release"], where["namespace"])
    helm.install(where["release"], where["namespace"], wanted)
    message = told(developer, "False", "ChangedOutside")["message"]
    newest = helm.revisions(where["release"], where["namespace"])[-1]["revision"]
    assert f"Helm release {where['release']} is at revision {newest}" in message


@pytest.mark.localkube
def test_one_that_was_upgraded_is_told_with_both_versions(
    developer: Api, where: Json, helm: Helm, tmp_path: Path
) -> None:
    chart = tmp_path / "vcluster"
    shutil.copytree(LOCAL_CHART, chart)
    about = (chart / "Chart.yaml").read_text()
    (chart / "Chart.yaml").write_text(about.replace(where["chart_version"], LATER))
    helm.install(where["release"], where["namespace"], helm.values(where["release"], where["namespace"]), chart)
    message = told(developer, "False", "UpgradedOutside")["message"]
    assert f"is of chart {LATER}, and Marina installed {where['chart_version']}" in message


def test_one_that_vanished_is_told_and_comes_back_on_request_only(
    home: TestHost, developer: Api, where: Json, helm: Helm, marina: Marina
) -> None:
    helm("uninstall", where["release"], "-n", where["namespace"], "--wait")
    message = told(developer, "False", "Vanished")["message"]
    assert f"The control plane {where['release']} is gone from namespace {where['namespace']}." in message
    assert home.kubectl.get("statefulsets", "-n", where["namespace"]) == []
    assert "Vanished" not in marina("list").stdout
    marina("configure", NAME, "--wait")
    assert in_sync(developer)["status"] == "True"
    assert helm.deployed(where["release"], where["namespace"])
