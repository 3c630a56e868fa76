"""Stopping and starting the workloads of a cluster that moves, through its API."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from provisioning.drivers.kinds import (
    CRON_JOB,
    JOB,
    MUTATING_WEBHOOKS,
    POD,
    SERVICE,
    VALIDATING_WEBHOOKS,
    Json,
    Kind,
)
from provisioning.drivers.kube import KubeClient
from provisioning.exports.identity import id_of
from provisioning.exports.left_out import rule_for
from provisioning.exports.merging import merge_patch
from provisioning.moving.holding import held, is_held, let_go, wanted_replicas
from provisioning.moving.pods import over
from provisioning.moving.workloads import WORKLOAD_KINDS, Order, Workload, workloads_of

HOLDABLE: Final = tuple(kind for kind in WORKLOAD_KINDS.values() if kind is not POD)
STARTED_LAST: Final = (CRON_JOB,)
"""They begin new work by themselves, so only once all others are at work."""
WEBHOOKS: Final = (VALIDATING_WEBHOOKS, MUTATING_WEBHOOKS)


Decided = Mapping[str, Mapping[str, Any]]
"""By workload what was decided before it moved: its `order`, and whether it was `ready`."""


def stopped(source: KubeClient, orders: Collection[str], decided: Decided) -> list[str]:
    """Holds the workloads of these orders; names of pods of what is held that did not end yet.

    A workload that nobody decided about came since: it stops first.
    """
    left = []
    for each in workloads_of(source):
        if _order(each, decided) not in orders:
            continue
        if each.kind is POD:
            left += _foreign_pod_stopped(source, each)
        elif obj := source.get(each.kind, each.key.name, each.key.namespace):
            _patched(source, each.kind, obj, held(obj))
    return left + [name for kind, obj in _held_objects(source) for name in _pods(source, kind, obj)]


def _order(workload: Workload, decided: Decided) -> str:
    known = decided.get(str(workload.key))
    return str(known["order"]) if known else Order.STOP_FIRST


def _foreign_pod_stopped(source: KubeClient, pod: Workload) -> list[str]:
    """One that an operator made, which has stopped: it makes it again, there or here. One of nobody's goes on."""
    if pod.owner is None:
        return []
    source.delete(POD, pod.key.name, pod.key.namespace)
    return [f"{pod.key.namespace}/{pod.key.name}"]


def _held_objects(kube: KubeClient) -> list[tuple[Kind, Json]]:
    return [(kind, obj) for kind in HOLDABLE for obj in kube.list(kind) if is_held(obj)]


def _pods(kube: KubeClient, kind: Kind, obj: Json) -> list[str]:
    """Of a workload those that have not ended."""
    selector = _selector(obj)
    if not selector or kind is CRON_JOB:
        return []
    namespace = obj["metadata"]["namespace"]
    found = kube.list(POD, namespace, label_selector=selector)
    return [f"{namespace}/{pod['metadata']['name']}" for pod in found if not over(pod)]


def _selector(obj: Json) -> str:
    """As a query has it. A ReplicationController's is a plain mapping."""
    selector = (obj.get("spec") or {}).get("selector") or {}
    labels = (
        selector.get("matchLabels") or {} if "matchLabels" in selector or "matchExpressions" in selector else selector
    )
    parts = [f"{key}={value}" for key, value in sorted(labels.items())]
    for each in selector.get("matchExpressions") or []:
        values = ",".join(each.get("values") or [])
        parts.append(
            {
                "In": f"{each['key']} in ({values})",
                "NotIn": f"{each['key']} notin ({values})",
                "Exists": each["key"],
                "DoesNotExist": f"!{each['key']}",
            }[each["operator"]]
        )
    return ",".join(parts)


def started(target: KubeClient, decided: Decided, *, only_behind_webhooks: bool = False) -> list[str]:
    """Lets go what is held, but for CronJobs; names of those that are not ready yet and were before they moved."""
    behind = _behind_webhooks(target) if only_behind_webhooks else []
    left = []
    for kind in HOLDABLE:
        if kind in STARTED_LAST:
            continue
        for obj in target.list(kind):
            if only_behind_webhooks and not _selected(obj, behind):
                continue
            if is_held(obj):
                obj = _patched(target, kind, obj, let_go(obj))
            was = decided.get(str(id_of(obj)))
            if was and was["ready"] and kind is not JOB and not _ready(obj):
                left.append(_name(kind, obj))
    return left


def webhooks_held(source: KubeClient) -> None:
    """They call nobody, so that nothing waits for an answer of what was stopped. Only where nobody may write."""
    for kind in WEBHOOKS:
        for obj in source.list(kind):
            if rule_for(obj) is None:
                _patched(source, kind, obj, held(obj))


def webhooks_let_go(target: KubeClient) -> None:
    """What is written from now on goes by them."""
    for kind in WEBHOOKS:
        _let_go_of(target, kind)


def cron_jobs_let_go(target: KubeClient) -> int:
    """How many go on."""
    return _let_go_of(target, CRON_JOB)


def all_held(kube: KubeClient) -> None:
    """Workloads, CronJobs among them: nothing of them runs when the cluster is woken."""
    stopped(kube, tuple(Order), {})


def all_let_go(kube: KubeClient) -> None:
    """Workloads, CronJobs among them: as they were before they were held."""
    for kind in HOLDABLE:
        _let_go_of(kube, kind)


def _let_go_of(kube: KubeClient, kind: Kind) -> int:
    """Those of a kind that are held; how many."""
    found = [obj for obj in kube.list(kind) if is_held(obj)]
    for obj in found:
        _patched(kube, kind, obj, let_go(obj))
    return len(found)


def _behind_webhooks(target: KubeClient) -> list[tuple[str, dict[str, str]]]:
    """Namespace and labels of the pods that answer webhooks which are still held."""
    services = set()
    for kind in WEBHOOKS:
        for obj in target.list(kind):
            for hook in obj.get("webhooks") or []:
                service = (hook.get("clientConfig") or {}).get("service")
                if service and is_held(obj):
                    services.add((service["namespace"], service["name"]))
    found = [target.get(SERVICE, name, namespace) for namespace, name in sorted(services)]
    return [
        (each["metadata"]["namespace"], each["spec"]["selector"])
        for each in found
        if each and (each.get("spec") or {}).get("selector")
    ]


def _selected(obj: Json, behind: Iterable[tuple[str, dict[str, str]]]) -> bool:
    template = ((obj.get("spec") or {}).get("template") or {}).get("metadata") or {}
    labels = template.get("labels") or {}
    return any(
        obj["metadata"]["namespace"] == namespace and selector.items() <= labels.items()
        for namespace, selector in behind
    )


def _ready(obj: Json) -> bool:
    status = obj.get("status") or {}
    if status.get("observedGeneration", 0) < obj["metadata"].get("generation", 0):
        return False
    if obj["kind"] == "DaemonSet":
        return int(status.get("numberReady") or 0) >= int(status.get("desiredNumberScheduled") or 0)
    return int(status.get("readyReplicas") or 0) >= wanted_replicas(obj)


def _patched(kube: KubeClient, kind: Kind, before: Json, after: Json) -> Json:
    patch = merge_patch(before, after)
    meta = before["metadata"]
    return kube.patch_merge(kind, meta["name"], meta.get("namespace"), patch) if patch else before


def _name(kind: Kind, obj: Json) -> str:
    return f"{kind.kind} {obj['metadata']['namespace']}/{obj['metadata']['name']}"
