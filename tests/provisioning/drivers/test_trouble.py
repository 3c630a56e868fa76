"""Why a control plane does not start: what the host says, as one sentence."""

import time

import pytest

from provisioning.drivers.kinds import POD, Json
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.trouble import Trouble, why_not_ready
from tests.provisioning.drivers.conftest import only_real


def stateful_set(namespace: str, **pod) -> Json:
    container = {"name": "syncer", "image": "pebble:1", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}}
    labels = {"app": "vcluster", "release": "x"}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "x", "namespace": namespace},
        "spec": {
            "serviceName": "x",
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container], **pod}},
        },
    }


def trouble_of(kube: KubeClient, namespace: str, seconds: float = 15) -> Trouble:
    deadline = time.monotonic() + seconds
    while not (found := why_not_ready(kube, namespace, "x")):
        assert time.monotonic() < deadline, "nothing was found"
        time.sleep(0.05)
    return found


@only_real  # the fakes refuse no pod and schedule none
def test_a_quota_that_is_too_small_is_quoted(kube, namespace):
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": namespace}}
    kube.apply({**quota, "spec": {"hard": {"requests.cpu": "1"}}})
    kube.apply(stateful_set(namespace))
    found = trouble_of(kube, namespace)
    assert (found.reason, found.permanent) == ("QuotaExceeded", False)
    assert found.message.startswith("The host refuses the control plane's pod: ")
    assert "exceeded quota: q, requested: requests.cpu=2" in found.message


@only_real  # the fakes refuse no pod and schedule none
def test_a_pod_that_pod_security_refuses_is_quoted_and_will_not_pass(kube, namespace):
    enforce = {"pod-security.kubernetes.io/enforce": "baseline"}
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": enforce}})
    kube.apply(stateful_set(namespace, hostNetwork=True))
    found = trouble_of(kube, namespace)
    assert (found.reason, found.permanent) == ("PodSecurity", True)
    assert 'violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)' in found.message


@only_real  # the fakes refuse no pod and schedule none
def test_a_pod_that_no_node_can_take_is_told_of(kube, namespace):
    kube.apply(stateful_set(namespace, nodeSelector={"absent": "label"}))
    found = trouble_of(kube, namespace)
    assert found.reason == "FailedScheduling"
    assert "node affinity" in found.message


IMAGE_SAID = 'Back-off pulling image "ghcr.io/loft-sh/kubernetes:v9": rpc error: code = NotFound desc = not found'


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        (
            {"reason": "ImagePullBackOff", "message": IMAGE_SAID},
            Trouble("ImagePullBackOff", f"The image of container kubernetes cannot be pulled: {IMAGE_SAID}", True),
        ),
        (
            {"reason": "ErrImagePull", "message": "dial tcp: i/o timeout"},
            Trouble("ErrImagePull", "The image of container kubernetes cannot be pulled: dial tcp: i/o timeout"),
        ),
        (
            {"reason": "CreateContainerConfigError", "message": 'secret "x" not found'},
            Trouble("CreateContainerConfigError", 'Container kubernetes cannot start: secret "x" not found'),
        ),
        (
            {"reason": "CrashLoopBackOff", "message": "back-off 10s"},
            Trouble("CrashLoopBackOff", "Container kubernetes keeps ending: exit code 2, Error"),
        ),
    ],
    ids=lambda value: value["reason"] if isinstance(value, dict) else "",
)
def test_a_container_that_waits_says_why(kube, namespace, waiting, expected):
    unscheduled = {"schedulerName": "nobody", "initContainers": [{"name": "kubernetes", "image": "pebble:1"}]}
    kube.apply(stateful_set(namespace, **unscheduled))
    status = {"name": "kubernetes", "image": "", "imageID": "", "ready": False, "restartCount": 1}
    status["state"] = {"waiting": waiting}
    status["lastState"] = {"terminated": {"exitCode": 2, "reason": "Error"}}
    pod_status_set(kube, namespace, {"initContainerStatuses": [status]})
    assert trouble_of(kube, namespace) == expected


def test_a_control_plane_that_is_ready_or_not_there_has_no_trouble(kube, namespace):
    assert why_not_ready(kube, namespace, "x") is None
    kube.apply(stateful_set(namespace, schedulerName="nobody"))
    pod_status_set(kube, namespace, {"conditions": [{"type": "Ready", "status": "True"}]})
    assert why_not_ready(kube, namespace, "x") is None


def pod_status_set(kube: KubeClient, namespace: str, status: Json) -> None:
    """Plays the kubelet."""
    deadline = time.monotonic() + 15
    while kube.get(POD, "x-0", namespace) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    kube.patch_merge(POD, "x-0", namespace, {"status": status}, subresource="status")
