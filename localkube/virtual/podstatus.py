"""The status of a control plane's pod, as a kubelet would tell it."""

import hashlib
from datetime import UTC, datetime

from localkube.api import Object


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod_ip(uid: str) -> str:
    """An address of its own for each pod, out of reach of the ones that kwok gives."""
    digest = hashlib.sha256(uid.encode()).digest()
    return f"10.21.{digest[0]}.{max(1, digest[1])}"


def pull_failed(pod: Object) -> Object:
    """The init container's image is none we have: kubectl shows Init:ImagePullBackOff."""
    image = pod["spec"]["initContainers"][0]["image"]
    message = (
        f'Back-off pulling image "{image}": ErrImagePull: failed to pull and unpack image "{image}": '
        f'failed to resolve reference "{image}": {image}: not found'
    )
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": message}}
    inits = [_container(container, waiting) for container in pod["spec"]["initContainers"]]
    mains = [_container(container, _initializing()) for container in pod["spec"]["containers"]]
    return _status(pod, "Pending", inits, mains, initialized=False, ready=False)


def started(pod: Object, *, ready: bool, since: str, restarts: int) -> Object:
    """The control plane's process runs; `ready` when it has answered."""
    done = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": since, "finishedAt": since}}
    inits = [_container(container, done, ready=True) for container in pod["spec"].get("initContainers", [])]
    running = {"running": {"startedAt": since}}
    mains = [_container(container, running, ready, restarts) for container in pod["spec"]["containers"]]
    return _status(pod, "Running", inits, mains, initialized=True, ready=ready)


def _initializing() -> Object:
    return {"waiting": {"reason": "PodInitializing"}}


def _container(container: Object, state: Object, ready: bool = False, restarts: int = 0) -> Object:
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": ready,
        "started": ready,
        "restartCount": restarts,
        "state": state,
    }


def _status(
    pod: Object, phase: str, inits: list[Object], mains: list[Object], *, initialized: bool, ready: bool
) -> Object:
    address = pod_ip(pod["metadata"]["uid"])
    return {
        "phase": phase,
        "conditions": [
            _condition("PodScheduled", True),
            _condition("Initialized", initialized),
            _condition("ContainersReady", ready),
            _condition("Ready", ready),
        ],
        "initContainerStatuses": inits,
        "containerStatuses": mains,
        "hostIP": "127.0.0.1",
        "hostIPs": [{"ip": "127.0.0.1"}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": pod.get("status", {}).get("startTime") or now(),
    }


def _condition(kind: str, holds: bool) -> Object:
    condition = {"type": kind, "status": "True" if holds else "False", "lastTransitionTime": now()}
    if not holds:
        condition["reason"] = "ContainersNotInitialized" if kind == "Initialized" else "ContainersNotReady"
    return condition
