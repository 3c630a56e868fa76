"""What flows' starts and ends mean for a virtual cluster: its phase, and its conditions Ready and InSync."""

from datetime import datetime
from typing import Final

from clusters.kinds import GENERATION
from clusters.models import (
    Condition,
    Operation,
    OperationKind,
    OperationState,
    VirtualCluster,
    VirtualClusterPhase,
    condition_set,
)
from provisioning.engine.flow import Hook
from provisioning.sleeping import falls_asleep, wakes

IN_SYNC: Final = "InSync"
"""The condition that tells whether the host has the cluster as it is wanted."""
ABORTED: Final = "The operation was aborted."


def phase_becomes(phase: VirtualClusterPhase) -> Hook:
    """A hook that sets the phase and nothing else."""

    def hook(operation: Operation, now: datetime) -> None:
        VirtualCluster.objects.filter(pk=cluster_of(operation).pk).update(phase=phase)

    return hook


def work_begins(phase: VirtualClusterPhase) -> Hook:
    """A hook that sets the phase and notes which generation is worked on.

    What is wanted may change while the operation waits between two steps, and each claim reads the cluster anew. So
    its steps may do what is wanted by then, but what it has seen through from its first step on is this generation.
    """
    phase_set = phase_becomes(phase)

    def hook(operation: Operation, now: datetime) -> None:
        phase_set(operation, now)
        operation.params = {**operation.params, GENERATION: cluster_of(operation).generation}
        Operation.objects.filter(pk=operation.pk).update(params=operation.params)

    return hook


def ready(operation: Operation, now: datetime) -> None:
    """The cluster is as it was wanted when the operation began."""
    cluster = cluster_locked(operation)
    cluster.phase = VirtualClusterPhase.READY
    cluster.observed_generation = generation_seen_through(operation)
    reason = "Provisioned" if operation.kind == OperationKind.PROVISION else "Configured"
    conditions_add(
        cluster,
        now,
        Condition(type="Ready", status="True", reason=reason, message="Its API answers."),
        Condition(type=IN_SYNC, status="True", reason=reason, message="Its host has it as it is wanted."),
    )
    cluster.save(update_fields=["phase", "observed_generation", "conditions"])


def as_before(operation: Operation) -> None:
    """What was begun changed nothing: asleep, Ready or Failed, as its columns and conditions tell."""
    cluster = cluster_locked(operation)
    if cluster.sleeping:
        cluster.phase = VirtualClusterPhase.ASLEEP
    else:
        cluster.phase = VirtualClusterPhase.READY if _answered_before(cluster) else VirtualClusterPhase.FAILED
    cluster.save(update_fields=["phase"])


def settled(operation: Operation, now: datetime) -> None:
    """As it was wanted when the operation began; one that sleeps sleeps on."""
    cluster = cluster_locked(operation)
    if not cluster.sleeping:
        ready(operation, now)
        return
    cluster.phase = VirtualClusterPhase.ASLEEP
    cluster.observed_generation = generation_seen_through(operation)
    message = "Its host has it as it is wanted."
    conditions_add(cluster, now, Condition(type=IN_SYNC, status="True", reason="Configured", message=message))
    cluster.save(update_fields=["phase", "observed_generation", "conditions"])


def asleep(operation: Operation, now: datetime) -> None:
    """Nothing of it runs. Who or what put it to sleep, and why, stands in the operation's params."""
    params = operation.params
    falls_asleep(cluster_locked(operation), now, by=str(params.get("by", "")), why=str(params.get("why", "")))


def awake_again(operation: Operation, now: datetime) -> None:
    """Its API answers."""
    wakes(cluster_locked(operation), now)


def step_done(operation: Operation, key: str) -> bool:
    """Whether the operation has that step behind it; it may have found nothing to do."""
    return any(each["key"] == key and each["state"] == "done" for each in operation.steps)


def generation_seen_through(operation: Operation) -> int:
    """As it stands in the database: a change that no worker has to follow moves it on."""
    params = Operation.objects.values_list("params", flat=True).get(pk=operation.pk)
    return int(params.get(GENERATION, cluster_of(operation).generation))


def failed(operation: Operation, now: datetime) -> None:
    """The cluster is not what was wanted; the operation says why."""
    _not_ready(operation, now, reason=f"{operation.kind.title()}Failed", message=operation.message)


def aborted(operation: Operation, now: datetime) -> None:
    """Somebody ended the operation half way."""
    _not_ready(operation, now, reason="Aborted", message=operation.message or ABORTED)


def not_configured(operation: Operation, now: datetime) -> None:
    """Not what was wanted, but no less there than before, unless the control plane was being replaced.

    One whose API answered and still does stays Ready, with the condition InSync telling what went wrong. Where the
    operation ended between changing the release and seeing the API answer, nobody knows that it does: Failed.
    """
    why = operation.message or ABORTED
    reason = "Aborted" if operation.state == OperationState.ABORTED else "ConfigureFailed"
    cluster = cluster_locked(operation)
    if cluster.sleeping:
        cluster.phase = VirtualClusterPhase.ASLEEP
    elif _answered_before(cluster) and not _being_replaced(operation):
        cluster.phase = VirtualClusterPhase.READY
    else:
        cluster.phase = VirtualClusterPhase.FAILED
        conditions_add(cluster, now, Condition(type="Ready", status="False", reason=reason, message=why))
    message = f"It may differ from what is wanted: {why} Bring it back with `marina configure {cluster.name}`."
    conditions_add(cluster, now, Condition(type=IN_SYNC, status="False", reason=reason, message=message))
    cluster.save(update_fields=["phase", "conditions"])


def _answered_before(cluster: VirtualCluster) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in cluster.conditions)


def _being_replaced(operation: Operation) -> bool:
    return step_done(operation, "update-release") and not step_done(operation, "wait-for-rollout")


def _not_ready(operation: Operation, now: datetime, *, reason: str, message: str) -> None:
    cluster = cluster_locked(operation)
    cluster.phase = VirtualClusterPhase.FAILED
    conditions_add(cluster, now, Condition(type="Ready", status="False", reason=reason, message=message))
    cluster.save(update_fields=["phase", "conditions"])


def conditions_add(cluster: VirtualCluster, now: datetime, *conditions: Condition) -> None:
    """In memory: the caller saves."""
    for condition in conditions:
        cluster.conditions = condition_set(cluster.conditions, condition, now=now)


def cluster_locked(operation: Operation) -> VirtualCluster:
    """The cluster as it is now, locked until the transaction ends."""
    return VirtualCluster.objects.select_for_update().get(pk=cluster_of(operation).pk)


def cluster_of(operation: Operation) -> VirtualCluster:
    """The cluster as the operation read it when it began."""
    if operation.virtual_cluster is None:
        raise ValueError(f"{operation.kind} is about no virtual cluster")
    return operation.virtual_cluster
