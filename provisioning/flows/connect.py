"""How a host cluster is connected: its credential is proved before anything is placed there."""

from datetime import datetime

from clusters.models import Condition, HostCluster, HostPhase, Operation, OperationKind, condition_set
from clusters.services.hosts import candidate_erase
from provisioning.engine.flow import Flow
from provisioning.steps.connecting import (
    accept_credential,
    check_permissions,
    check_tenant_role,
    fetch_chart,
    reach_host,
    survey_host,
)


def connected(operation: Operation, now: datetime) -> None:
    """The host takes placements from now on."""
    host = _locked(operation)
    host.phase = HostPhase.CONNECTED
    for kind, message in (("Reachable", "It answers."), ("Authorized", "Marina has every permission it needs.")):
        condition = Condition(type=kind, status="True", reason="Connected", message=message)
        host.conditions = condition_set(host.conditions, condition, now=now)
    host.save(update_fields=["phase", "conditions"])


def refused(operation: Operation, now: datetime) -> None:
    """The credential that could not be proved is erased; one that was in use before stays in use."""
    host = _locked(operation)
    candidate_erase(host=host)
    reachable = operation.error_code not in ("unreachable", "timeout", "certificate")
    condition = Condition(
        type="Authorized" if reachable else "Reachable",
        status="False",
        reason="ConnectFailed",
        message=operation.error_message or operation.message or "Connecting was aborted.",
    )
    HostCluster.objects.filter(pk=host.pk).update(conditions=condition_set(host.conditions, condition, now=now))


def _locked(operation: Operation) -> HostCluster:
    return HostCluster.objects.select_for_update(of=("self",)).get(pk=host_of(operation).pk)


def host_of(operation: Operation) -> HostCluster:
    """The host that the operation is about."""
    if operation.host is None:
        raise ValueError(f"{operation.kind} is about no host")
    return operation.host


CONNECT = Flow(
    kind=OperationKind.CONNECT,
    steps=(reach_host, check_permissions, check_tenant_role, survey_host, fetch_chart, accept_credential),
    on_success=connected,
    on_failure=refused,
    on_abort=refused,
)
