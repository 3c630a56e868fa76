"""What runs in a virtual cluster, and in which order each of it is stopped where it was and started where it goes.

Something that acts on the cluster's objects (an operator, a deployer) must never run twice at once: two of them would
do twice what they do outside, and undo each other's work inside. So those stop before anything starts elsewhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from provisioning.drivers.kinds import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    CRON_JOB,
    DAEMON_SET,
    DEPLOYMENT,
    JOB,
    LEASE,
    POD,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    ROLE,
    ROLE_BINDING,
    STATEFUL_SET,
    Json,
    Kind,
)
from provisioning.drivers.kube import KubeClient
from provisioning.exports.identity import ObjectId, id_of, owner_id
from provisioning.exports.left_out import rule_for
from provisioning.moving.listing import all_of
from provisioning.moving.pods import claims_of, counted, grace_of, over, pod_spec, ready
from provisioning.moving.rights import Account, Writers

KINDS: Final = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET, REPLICA_SET, REPLICATION_CONTROLLER, JOB, POD, CRON_JOB)
WORKLOAD_KINDS: Final[Mapping[tuple[str, str], Kind]] = {(kind.group, kind.kind): kind for kind in KINDS}
"""By group and name of the kind: all that can be a workload of its own."""
_RIGHTS: Final = (CLUSTER_ROLE, ROLE, CLUSTER_ROLE_BINDING, ROLE_BINDING)
_SYSTEM: Final = ("kube-controller-manager", "kube-scheduler", "cloud-controller-manager", "apiserver-", "vcluster-")
"""How Leases of the control plane begin, whose holder may be called as a tenant's pod is."""


class Order(StrEnum):
    """When it stops at the source, and when it starts at the target."""

    CONTROLLER = "controller"
    """It stops before anything starts at the target. Nobody can choose otherwise."""
    STOP_FIRST = "stop-first"
    """It stops before it starts at the target."""
    START_FIRST = "start-first"
    """It starts at the target, and stops at the source once it is ready there."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One that nothing else makes again where it is, with what it has at this moment.

    `replicas`: the pods wanted (of a CronJob 1 where it is not suspended). `grace`: seconds within which its pods end.
    `claims`: names of those that its pods use, in its namespace. `owner`: the object of another kind that controls it
    and makes it again; where a Pod or a ReplicaSet has one, it is not carried. `why` is a sentence.
    """

    key: ObjectId
    replicas: int
    grace: float
    ready: bool
    claims: tuple[str, ...]
    order: Order
    why: str
    owner: ObjectId | None = None

    @property
    def kind(self) -> Kind:
        """How its API is addressed."""
        return WORKLOAD_KINDS[self.key.group, self.key.kind]

    @property
    def carried(self) -> bool:
        """Whether the object itself goes to the target, so that it can be started there."""
        return self.owner is None or self.kind not in (POD, REPLICA_SET)

    def refuses(self, wanted: Order) -> str:
        """Why it cannot be moved in this order, as a sentence; "" where it can."""
        if wanted is self.order:
            return ""
        if self.order is Order.CONTROLLER or wanted is Order.CONTROLLER:
            return f"{self.key} is moved as {self.order}, and nobody can choose otherwise: {self.why}"
        if self.kind is CRON_JOB:
            return f"{self.key} starts no Jobs during a move and goes on after it, whatever order is asked for."
        if wanted is Order.START_FIRST and self.claims:
            claims = ", ".join(self.claims[:3])
            return f"{self.key} cannot start first: two would write at once to what its claims stand for ({claims})."
        return ""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was read to tell: objects as the API gives them, with managedFields."""

    found: tuple[Json, ...] = ()
    rights: tuple[Json, ...] = ()
    leases: tuple[Json, ...] = ()


def workloads_of(kube: KubeClient) -> tuple[Workload, ...]:
    """Of the cluster whose API this is: all that people or their operators run in it, by kind, namespace and name.

    Left out is what an export leaves out (the cluster's own DNS), and what has ended or is suspended for good.
    """
    return workloads_in(workloads_seen(kube))


def workloads_seen(kube: KubeClient) -> Seen:
    """Reads what `workloads_in` needs, once."""
    return Seen(found=tuple(all_of(kube, KINDS)), rights=tuple(all_of(kube, _RIGHTS)), leases=tuple(kube.list(LEASE)))


def workloads_in(seen: Seen) -> tuple[Workload, ...]:
    """Pure: from what was read."""
    writers = Writers(
        roles=[each for each in seen.rights if not each["kind"].endswith("Binding")],
        bindings=[each for each in seen.rights if each["kind"].endswith("Binding")],
    )
    leading = _leading(seen)
    tops = [each for each in seen.found if _is_top(each)]
    return tuple(sorted((_workload(each, writers, leading) for each in tops), key=lambda each: each.key))


def workloads_ordered(workloads: Iterable[Workload], orders: Mapping[str, str]) -> tuple[Workload, ...]:
    """The same, in the orders asked for by `str` of a key. What `orders_refused` names of them changes nothing."""
    return tuple(_reordered(each, orders.get(str(each.key), "")) for each in workloads)


def orders_refused(workloads: Iterable[Workload], orders: Mapping[str, str]) -> dict[str, str]:
    """Of the asks those that cannot be met, each with the sentence why."""
    known = {str(each.key): each for each in workloads}
    told = {asked: _refused(asked, known.get(asked), wanted) for asked, wanted in orders.items()}
    return {asked: why for asked, why in told.items() if why}


def _refused(asked: str, workload: Workload | None, wanted: str) -> str:
    if workload is None:
        return f"There is no workload {asked} in it."
    if wanted not in (Order.STOP_FIRST, Order.START_FIRST):
        return f"{asked}: {wanted} is no order; say {Order.STOP_FIRST} or {Order.START_FIRST}."
    return workload.refuses(Order(wanted))


def _reordered(workload: Workload, wanted: str) -> Workload:
    if not wanted or wanted == workload.order or _refused(str(workload.key), workload, wanted):
        return workload
    return replace(workload, order=Order(wanted), why="It was asked for.")


def _controller(found: Json) -> ObjectId | None:
    meta = found["metadata"]
    owners = [each for each in meta.get("ownerReferences") or [] if each.get("controller")]
    return owner_id(owners[0], namespace=str(meta.get("namespace") or "")) if owners else None


def _is_top(found: Json) -> bool:
    """A Job that a CronJob started counts, as it goes on when that is suspended."""
    owner = _controller(found)
    if over(found) or (owner is not None and owner.kind == "Node"):
        return False
    if owner is not None and (owner.group, owner.kind) in WORKLOAD_KINDS and owner.kind != "CronJob":
        return False
    rule = rule_for(found)
    return rule is None or (owner is not None and rule.rule == "of a controller")


def _workload(found: Json, writers: Writers, leading: Mapping[ObjectId, str]) -> Workload:
    key, claims = id_of(found), claims_of(found)
    order, why = _order(found, claims, writers, leading.get(key, ""))
    owner = _controller(found)
    foreign = owner is not None and (owner.group, owner.kind) not in WORKLOAD_KINDS
    return Workload(
        key=key,
        replicas=counted(found),
        grace=grace_of(found),
        ready=ready(found),
        claims=claims,
        order=order,
        why=why,
        owner=owner if foreign else None,
    )


def _order(found: Json, claims: tuple[str, ...], writers: Writers, lease: str) -> tuple[Order, str]:
    account = Account(found["metadata"]["namespace"], pod_spec(found).get("serviceAccountName") or "default")
    if may := writers.why(account):
        return Order.CONTROLLER, f"It acts in the cluster: its ServiceAccount {account} {may}."
    if lease:
        return Order.CONTROLLER, f"It leads by the Lease {lease}: one of it may act at a time."
    if claims:
        return Order.STOP_FIRST, f"It keeps data in volumes ({', '.join(claims[:3])})."
    return _by_shape(found)


def _by_shape(found: Json) -> tuple[Order, str]:
    spec = found.get("spec") or {}
    match found["kind"]:
        case "StatefulSet":
            return Order.STOP_FIRST, "Each pod of a StatefulSet exists once."
        case "Job":
            return Order.STOP_FIRST, "What a Job does is not to be done twice at once."
        case "CronJob":
            return Order.STOP_FIRST, "It starts no Jobs during the move, and goes on after it."
        case "Deployment" if (spec.get("strategy") or {}).get("type") == "Recreate":
            return Order.STOP_FIRST, "Its strategy is Recreate: the old ones end before new ones start."
    if counted(found) == 1:
        return Order.STOP_FIRST, "It has a single replica."
    if counted(found) == 0:
        return Order.START_FIRST, "Nothing of it runs."
    return Order.START_FIRST, f"It has {counted(found)} replicas and keeps no data in volumes."


def _leading(seen: Seen) -> dict[ObjectId, str]:
    """By workload the Lease that one of its pods holds. Of whom an election's winner is, programs name the pod."""
    holders = {_holder(each): each["metadata"] for each in seen.leases if not _of_system(each)}
    above = {id_of(each): owner for each in seen.found if (owner := _controller(each)) is not None}
    pods = [id_of(each) for each in seen.found if each["kind"] == "Pod"]
    held = {pod: holders[pod.name] for pod in pods if pod.name in holders}
    return {_top(pod, above): f"{meta['namespace']}/{meta['name']}" for pod, meta in held.items()}


def _of_system(lease: Json) -> bool:
    meta = lease["metadata"]
    named = meta["namespace"] == "kube-system" and str(meta["name"]).startswith(_SYSTEM)
    return named or meta["namespace"] == "kube-node-lease"


def _holder(lease: Json) -> str:
    return str((lease.get("spec") or {}).get("holderIdentity") or "").split("_")[0]


def _top(pod: ObjectId, above: Mapping[ObjectId, ObjectId]) -> ObjectId:
    """The workload over a pod. A chain of more than three is none that Kubernetes makes."""
    key = pod
    for _ in range(3):
        owner = above.get(key)
        if owner is None or (owner.group, owner.kind) not in WORKLOAD_KINDS or owner.kind == "CronJob":
            return key
        key = owner
    return key
