"""Why a virtual cluster's control plane does not start, in one sentence, from what its host says.

A StatefulSet whose pod is refused has no condition that says so, only events (vcluster.md, "When it cannot start").
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from provisioning.drivers.errors import redact
from provisioning.drivers.kinds import PERSISTENT_VOLUME_CLAIM, POD, STATEFUL_SET, Json
from provisioning.drivers.kube import JsonList, KubeClient


@dataclass(frozen=True)
class Trouble:
    """`reason` is CamelCase, `message` a sentence that quotes the host; `permanent` if waiting alone cannot help."""

    reason: str
    message: str
    permanent: bool = False


_REFUSALS = (
    ("QuotaExceeded", re.compile(r"exceeded quota|failed quota"), False),
    ("PodSecurity", re.compile(r"violates PodSecurity"), True),
    ("Denied", re.compile(r"denied the request|ValidatingAdmissionPolicy"), True),
    ("LimitRange", re.compile(r"(?:maximum|minimum) (?:cpu|memory|\S+) usage per"), True),
)
_IMAGE = ("ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull")
_IMAGE_MISSING = re.compile(r"not found|NotFound|manifest unknown|InvalidImageName|couldn't parse image")
_CONTAINER = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff")
_POD_EVENTS = ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedPostStartHook")


def why_not_ready(client: KubeClient, namespace: str, release: str) -> Trouble | None:
    """None if the control plane's pod is ready, or if nothing is known that keeps it from becoming so."""
    workload = client.get(STATEFUL_SET, release, namespace)
    if workload is None:
        return None
    labels = workload["spec"]["selector"]["matchLabels"]
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    pods = client.list(POD, namespace, label_selector=selector)
    if not pods:
        return _refused(client.events(namespace, kind="StatefulSet", name=release))
    first = min(pods, key=lambda pod: str(pod["metadata"]["name"]))
    return _pod_trouble(client, first)


def _refused(events: JsonList) -> Trouble | None:
    """The workload's controller may not make the pod."""
    event = next(_warnings(events, ("FailedCreate",)), None)
    if event is None:
        return None
    said = _quote(event.get("message", "").rpartition("failed error: ")[2])
    message = f"The host refuses the control plane's pod: {said}"
    for reason, words, permanent in _REFUSALS:
        if words.search(said):
            return Trouble(reason, message, permanent)
    return Trouble("FailedCreate", message)


def _pod_trouble(client: KubeClient, pod: Json) -> Trouble | None:
    conditions = {condition["type"]: condition for condition in pod.get("status", {}).get("conditions") or []}
    if conditions.get("Ready", {}).get("status") == "True":
        return None
    for status in _container_statuses(pod):
        if trouble := _container_trouble(status):
            return trouble
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return _claim_trouble(client, pod) or Trouble(
            "FailedScheduling", f"No node can take the control plane's pod: {_quote(scheduled.get('message', ''))}"
        )
    return _pod_event(client, pod)


def _container_statuses(pod: Json) -> JsonList:
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _container_trouble(status: Json) -> Trouble | None:
    waiting = status.get("state", {}).get("waiting") or {}
    reason, said = waiting.get("reason", ""), _quote(waiting.get("message", ""))
    name = status.get("name", "")
    if reason in _IMAGE:
        permanent = bool(_IMAGE_MISSING.search(f"{reason} {said}"))
        return Trouble(reason, f"The image of container {name} cannot be pulled: {said or reason}", permanent)
    if reason == "CrashLoopBackOff":
        ended = status.get("lastState", {}).get("terminated") or {}
        how = f"exit code {ended.get('exitCode')}, {ended.get('reason', 'no reason given')}" if ended else said
        return Trouble(reason, f"Container {name} keeps ending: {how}")
    if reason in _CONTAINER:
        return Trouble(reason, f"Container {name} cannot start: {said or reason}")
    return None


def _claim_trouble(client: KubeClient, pod: Json) -> Trouble | None:
    namespace = pod["metadata"]["namespace"]
    volumes = pod["spec"].get("volumes") or []
    claims = [volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume]
    for name in claims:
        claim = client.get(PERSISTENT_VOLUME_CLAIM, name, namespace)
        if claim is None or claim.get("status", {}).get("phase") != "Pending":
            continue
        events = client.events(namespace, kind="PersistentVolumeClaim", name=name)
        for event in _warnings(events, ("ProvisioningFailed", "FailedBinding")):
            said = _quote(event.get("message", ""))
            return Trouble("VolumeNotProvisioned", f"The host gives no volume for claim {name}: {said}")
    return None


def _pod_event(client: KubeClient, pod: Json) -> Trouble | None:
    meta = pod["metadata"]
    events = client.events(meta["namespace"], kind="Pod", name=meta["name"])
    for event in _warnings(events, _POD_EVENTS):
        if event["involvedObject"].get("uid") == meta["uid"]:
            reason = str(event["reason"])
            return Trouble(reason, f"The control plane's pod cannot start: {_quote(event.get('message', ''))}")
    return None


def _warnings(events: JsonList, reasons: tuple[str, ...]) -> Iterator[Json]:
    return (event for event in events if event.get("type") == "Warning" and event.get("reason") in reasons)


def _quote(said: str) -> str:
    return redact(" ".join(said.split()))
