"""A provision that fails says where and why in the host's own words, leaves nothing, and can be tried again."""

from collections.abc import Iterator

import pytest

from tests.commands import Marina
from tests.conftest import TestHost
from tests.e2e.api import Api

pytestmark = pytest.mark.localkube

NODES_TOO = {"rbac": {"role": {"extraRules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]}}}


def test_an_image_that_does_not_exist_fails_the_provision_and_delete_leaves_nothing(
    marina: Marina, developer: Api, least: TestHost
) -> None:
    version = ["--kubernetes-version", "1.34.9"]
    said = marina("create", "imageless", "--host", "least", *version, "--wait", exit_code=1)
    assert "1.34.9" in said.stderr
    failed = developer.cluster("imageless")
    assert failed["phase"] == "Failed"
    operation = failed["operation"]
    assert [step["key"] for step in operation["steps"] if step["state"] == "failed"] == ["wait-for-api"]
    assert operation["message"].startswith("“Wait for the virtual cluster's API” failed: ")
    assert "kubernetes:v1.34.9: not found" in operation["error"]["message"]
    assert "delete the cluster: nothing of it stays" in operation["error"]["hint"]
    (ready,) = [each for each in failed["conditions"] if each["type"] == "Ready"]
    assert (ready["status"], ready["reason"], ready["message"]) == ("False", "ProvisionFailed", operation["message"])

    namespace = failed["placement"]["namespace"]
    left = {(each["kind"], each["name"], each["namespace"], each["host"]) for each in operation["left_behind"]}
    assert {("Namespace", namespace, "", "least"), ("Helm release", "imageless", namespace, "least")} < left
    assert ("ResourceQuota", "marina", namespace, "least") in left
    developer.ended(developer.delete("imageless"))
    assert "NotFound" in least.kubectl("get", "namespace", namespace, exit_code=1).stderr
    assert not [volume for volume in least.kubectl.get("pv") if volume["spec"]["claimRef"]["namespace"] == namespace]


@pytest.fixture
def greedy_host(staff: Api, least: TestHost) -> Iterator[str]:
    """The path of a host whose administrator has the chart ask for more than Marina may give."""
    path = f"/host-clusters/{staff.host('least')['id']}"
    staff("PATCH", path, {"values": NODES_TOO})
    yield path
    staff("PATCH", path, {"values": {}})


def test_values_that_the_host_refuses_fail_in_its_own_words_and_once_mended_retry_makes_it_ready(
    greedy_host: str, marina: Marina, developer: Api, staff: Api, project: str
) -> None:
    failed = developer.ended(developer.create("greedy", project=project, host="least"), as_="Failed")
    assert [step["key"] for step in failed["steps"] if step["state"] == "failed"] == ["install-release"]
    assert "is attempting to grant RBAC permissions not currently held" in failed["error"]["message"]
    assert 'Resources:["nodes"]' in failed["error"]["message"]

    staff("PATCH", greedy_host, {"values": {}})
    marina("op", "retry", failed["id"], "--wait")
    assert developer.cluster("greedy")["phase"] == "Ready"
    assert "Tried again by" in str(developer.operation(failed)["events"])
    developer.ended(developer.delete("greedy"))


def test_values_that_the_charts_schema_refuses_are_refused_before_anything_is_placed(
    staff: Api, least: TestHost
) -> None:
    path = f"/host-clusters/{staff.host('least')['id']}"
    told = staff.refused("PATCH", path, {"values": {"controlPlane": {"bogus": 1}}}, "values.controlPlane.bogus")
    assert told["message"] == "The chart knows no such key."
    assert "statefulSet" in told["accepted"]
