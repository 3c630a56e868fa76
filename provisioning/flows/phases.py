"""What flows' starts and ends mean for a virtual cluster: its phase and its condition Ready."""

from datetime import datetime

from clusters.models import Condition, Operation, VirtualCluster, VirtualClusterPhase, condition_set
from provisioning.engine.flow import Hook


def phase_becomes(phase: VirtualClusterPhase) -> Hook:
    """A hook that sets the phase and nothing else."""

    def hook(operation: Operation, now: datetime) -> None:
        VirtualCluster.objects.filter(pk=cluster_of(operation).pk).update(phase=phase)

    return hook


def ready(operation: Operation, now: datetime) -> None:
    """The cluster is as it was wanted when the operation read it."""
    cluster = _locked(operation)
    cluster.phase = VirtualClusterPhase.READY
    # what the operation worked with, not what may have been written since
    cluster.observed_generation = cluster_of(operation).generation
    condition = Condition(type="Ready", status="True", reason="Provisioned", message="Its API answers.")
    cluster.conditions = condition_set(cluster.conditions, condition, now=now)
    cluster.save(update_fields=["phase", "observed_generation", "conditions"])


def failed(operation: Operation, now: datetime) -> None:
    """The cluster is not what was wanted; the operation says why."""
    _not_ready(operation, now, reason=f"{operation.kind.title()}Failed", message=operation.message)


def aborted(operation: Operation, now: datetime) -> None:
    """Somebody ended the operation half way."""
    _not_ready(operation, now, reason="Aborted", message=operation.message or "The operation was aborted.")


def _not_ready(operation: Operation, now: datetime, *, reason: str, message: str) -> None:
    cluster = _locked(operation)
    cluster.phase = VirtualClusterPhase.FAILED
    condition = Condition(type="Ready", status="False", reason=reason, message=message)
    cluster.conditions = condition_set(cluster.conditions, condition, now=now)
    cluster.save(update_fields=["phase", "conditions"])


def _locked(operation: Operation) -> VirtualCluster:
    return VirtualCluster.objects.select_for_update().get(pk=cluster_of(operation).pk)


def cluster_of(operation: Operation) -> VirtualCluster:
    """The cluster as the operation read it when it began."""
    if operation.virtual_cluster is None:
        raise ValueError(f"{operation.kind} is about no virtual cluster")
    return operation.virtual_cluster
