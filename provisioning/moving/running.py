"""Stopping and starting the workloads of a cluster that moves, through its API."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from provisioning.drivers.errors import NotFound
from provisioning.drivers.kinds import (
    CRON_JOB,
    DEPLOYMENT,
    JOB,
    MUTATING_WEBHOOKS,
    POD,
    REPLICA_SET,
    SERVICE,
    VALIDATING_WEBHOOKS,
    Json,
    Kind,
)
from provisioning.drivers.kube import KubeClient
from provisioning.engine.errors import StepError
from provisioning.exports.digests import group_of
from provisioning.exports.identity import id_of
from provisioning.exports.left_out import rule_for
from provisioning.exports.merging import merge_patch
from provisioning.moving.holding import held, is_held, let_go, wanted_replicas
from provisioning.moving.listing import Name, lists, name_of
from provisioning.moving.lone_pods import pods_ending, pods_stop, pods_stopped
from provisioning.moving.pods import over
from provisioning.moving.refusals import NO_ANSWER, refused_together
from provisioning.moving.workloads import WORKLOAD_KINDS, Order, Workload, workloads_in, workloads_seen

HOLDABLE: Final = tuple(kind for kind in WORKLOAD_KINDS.values() if kind is not POD)
ROUNDS: Final = (tuple(kind for kind in HOLDABLE if kind is not REPLICA_SET), (REPLICA_SET,))
"""In which they are let go: a ReplicaSet bears a copy of its Deployment's note, and is no workload of its own."""
STARTED_LAST: Final = (CRON_JOB,)
"""They begin new work by themselves, so only once all others are at work."""
WEBHOOKS: Final = (VALIDATING_WEBHOOKS, MUTATING_WEBHOOKS)
AT_ONCE: Final = 8
"""So many objects are changed side by side: hosts may be far away, and people wait meanwhile."""
Decided = Mapping[str, Mapping[str, Any]]
"""By workload what was decided before it moved: its `order`, whether it was `ready`, and the `grace` of its pods."""

T = TypeVar("T")
R = TypeVar("R")


def stopped(source: KubeClient, orders: Collection[str], decided: Decided) -> list[str]:
    """Holds the workloads of these orders; names of pods that are to end for it and did not yet.

    A workload that nobody decided about came since: it stops first.
    """

    def stop(workload: Workload) -> list[str]:
        if workload.kind is POD:
            return _pod_stopped(source, workload, decided)
        obj = listed[workload.key]
        try:
            _patched(source, workload.kind, obj, held(obj))
        except NotFound:  # deleted meanwhile, or its server is only starting: the next look at what there is tells
            return [str(workload.key)]
        return []

    seen = workloads_seen(source)
    listed = {id_of(obj): obj for obj in seen.found}
    left = _together(stop, [each for each in workloads_in(seen) if _order(each, decided) in orders])
    lone = pods_ending(source, pods_stopped(source))
    return [name for names in left for name in names] + _not_ended(source) + [each.name for each in lone]


def _order(workload: Workload, decided: Decided) -> str:
    known = decided.get(str(workload.key))
    return str(known["order"]) if known else Order.STOP_FIRST


def _pod_stopped(source: KubeClient, pod: Workload, decided: Decided) -> list[str]:
    """One that an operator made, which has stopped: it makes it again, there or here.

    One of nobody's goes on, unless it acts in the cluster: then nothing may act elsewhere before it has ended.
    """
    if pod.owner:
        source.delete(POD, pod.key.name, pod.key.namespace)
        return [f"{pod.key.namespace}/{pod.key.name}"]
    found = source.get(POD, pod.key.name, pod.key.namespace)
    if found and _order(pod, decided) == Order.CONTROLLER:
        pods_stop(source, [found])
    return []


def _together(do: Callable[[T], R], each: Iterable[T]) -> list[R]:
    """Several at a time, in their order; the first error of any, when all have ended."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(do, each))


def _objects(kube: KubeClient, kinds: Sequence[Kind]) -> list[tuple[Kind, Json]]:
    found = zip(kinds, lists(kube, kinds), strict=True)
    return [(kind, obj) for kind, objects in found for obj in objects]


def _held_objects(kube: KubeClient, kinds: Sequence[Kind]) -> list[tuple[Kind, Json]]:
    return [(kind, obj) for kind, obj in _objects(kube, kinds) if is_held(obj)]


def _not_ended(kube: KubeClient) -> list[str]:
    """Pods of what is held, and of operators those that were told to end; not others that have the same labels."""
    held_objects = [obj for _, obj in _held_objects(kube, HOLDABLE)]
    uids = {obj["metadata"]["uid"] for obj in held_objects}
    deployments = {name_of(obj) for obj in held_objects if obj["kind"] == DEPLOYMENT.kind}
    above = {each["metadata"]["uid"]: _controller(each).get("uid") for each in kube.list(REPLICA_SET)}

    def counts(pod: Json) -> bool:
        owner = _controller(pod)
        if _is_operator(owner):
            return "deletionTimestamp" in pod["metadata"]
        if owner.get("uid") in uids or above.get(owner.get("uid")) in uids:
            return True
        gone = owner.get("kind") == REPLICA_SET.kind and owner["uid"] not in above
        return gone and _of_deployment(pod, owner) in deployments

    return ["/".join(name_of(pod)) for pod in kube.list(POD) if not over(pod) and counts(pod)]


def _is_operator(owner: Json) -> bool:
    """Neither nobody, nor a node, nor a kind that this module holds."""
    return bool(owner) and owner["kind"] != "Node" and (group_of(owner), owner["kind"]) not in WORKLOAD_KINDS


def _controller(obj: Json) -> Json:
    """The reference to it; an empty one where it has none."""
    references = obj["metadata"].get("ownerReferences") or []
    return next((each for each in references if each.get("controller")), {})


def _of_deployment(pod: Json, owner: Json) -> Name:
    """By how a Deployment names its ReplicaSets: an old one may be gone before its last pod has ended."""
    meta = pod["metadata"]
    hashed = (meta.get("labels") or {}).get("pod-template-hash", "")
    return meta["namespace"], str(owner["name"]).removesuffix(f"-{hashed}")


def started(target: KubeClient, decided: Decided, *, only_behind_webhooks: bool = False) -> list[str]:
    """Lets go what is held, but for CronJobs; names of those that are not ready yet and were before they moved."""
    behind = _behind_webhooks(target) if only_behind_webhooks else []

    def start(each: tuple[Kind, Json]) -> str:
        kind, obj = each
        if is_held(obj):
            obj = _patched(target, kind, obj, let_go(obj))
        was = decided.get(str(id_of(obj)))
        waits = was and was["ready"] and kind is not JOB and not _ready(obj)
        return _name(kind, obj) if waits else ""

    left: list[str] = []
    for kinds in ROUNDS:
        found = _objects(target, [kind for kind in kinds if kind not in STARTED_LAST])
        wanted = [each for each in found if not only_behind_webhooks or _selected(each[1], behind)]
        left += [name for name in _together(start, wanted) if name]
    return left


def webhooks_held(source: KubeClient) -> None:
    """They call nobody, so that nothing waits for an answer of what was stopped. Only where nobody may write."""
    found = [(kind, obj) for kind in WEBHOOKS for obj in source.list(kind) if rule_for(obj) is None]
    _together(lambda each: _patched(source, *each, held(each[1])), found)


def webhooks_let_go(target: KubeClient) -> None:
    """What is written from now on goes by them."""
    _let_go_of(target, WEBHOOKS)


def cron_jobs_let_go(target: KubeClient) -> int:
    """How many go on."""
    return _let_go_of(target, [CRON_JOB])


def all_held(kube: KubeClient) -> None:
    """Workloads, CronJobs among them: nothing of them runs when the cluster is woken."""
    stopped(kube, tuple(Order), {})


def all_let_go(kube: KubeClient) -> None:
    """Workloads, CronJobs among them, and then webhooks: as they were before they were held.

    As long as webhooks call nobody, none of them keeps from starting what answers it. What is refused keeps nothing
    else held: all of it is told at the end, by a TemporaryError where another try may help, else a PermanentError.
    """

    def let(each: tuple[Kind, Json]) -> tuple[str, StepError] | None:
        kind, obj = each
        try:
            _patched(kube, kind, obj, let_go(obj))
        except NotFound:
            pass  # it was deleted meanwhile
        except StepError as error:
            if error.code in NO_ANSWER:
                raise
            return str(id_of(obj)), error
        return None

    refused = [each for kinds in (*ROUNDS, WEBHOOKS) for each in _together(let, _held_objects(kube, kinds)) if each]
    if refused:
        raise refused_together(refused)


def _let_go_of(kube: KubeClient, kinds: Sequence[Kind]) -> int:
    """Those of these kinds that are held; how many."""
    found = _held_objects(kube, kinds)
    _together(lambda each: _patched(kube, *each, let_go(each[1])), found)
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
