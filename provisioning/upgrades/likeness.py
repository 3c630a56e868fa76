"""What a virtual cluster is like: compared after an upgrade with what it was before."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from provisioning.drivers.kinds import DAEMON_SET, DEPLOYMENT, NODE, STATEFUL_SET, Json
from provisioning.drivers.kube import KubeClient

BEFORE: Final = "before"
"""In the params of an `upgrade`."""
_SCALED: Final = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET)


def likeness_of(kube: KubeClient) -> dict[str, Any]:
    """Version, nodes with whether each is ready, and of each workload how many pods are ready and wanted."""
    return {
        "version": str(kube.version().get("gitVersion", "")).removeprefix("v"),
        "nodes": {node["metadata"]["name"]: _is_ready(node) for node in kube.list(NODE)},
        "workloads": {name: counts for kind in _SCALED for name, counts in map(_workload, kube.list(kind))},
    }


def _is_ready(node: Json) -> bool:
    conditions = node.get("status", {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _workload(found: Json) -> tuple[str, list[int]]:
    meta, status = found["metadata"], found.get("status", {})
    if found["kind"] == DAEMON_SET.kind:
        ready, wanted = status.get("numberReady", 0), status.get("desiredNumberScheduled", 0)
    else:
        ready, wanted = status.get("readyReplicas", 0), found["spec"].get("replicas", 1)
    return f"{found['kind']} {meta['namespace']}/{meta['name']}", [int(ready), int(wanted)]


def waited_for(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Workloads that had ready pods, are still wanted, and have fewer of them now."""
    found = now["workloads"]
    return sorted(
        name
        for name, (ready, _) in before["workloads"].items()
        if name in found and found[name][0] < min(ready, found[name][1])
    )


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """In sentences, what is no longer as it was. What was not ready before need not be ready now."""
    return [*_nodes(before["nodes"], now["nodes"]), *_workloads(before, now)]


def _nodes(before: Mapping[str, bool], now: Mapping[str, bool]) -> Iterator[str]:
    for name, ready in sorted(before.items()):
        if name not in now:
            yield f"Node {name} is gone."
        elif ready and not now[name]:
            yield f"Node {name} was ready and is not."


def _workloads(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    late = set(waited_for(before, now))
    for name, (ready, _) in sorted(before["workloads"].items()):
        if name not in now["workloads"]:
            yield f"{name} is gone."
        elif name in late:
            yield f"{name} has {now['workloads'][name][0]} ready pods, and had {ready}."
