"""How a host cluster is connected: its credential is proved before anything is placed there."""

from datetime import datetime

from clusters.models import Condition, HostCluster, HostPhase, Operation, OperationKind, condition_set
from clusters.services.hosts import candidate_erase
from provisioning.engine.breaker import host_trusted
from provisioning.engine.flow import Flow
from provisioning.left_behind import of_connecting
from provisioning.steps.connecting import (
    accept_credential,
    check_identity,
    check_permissions,
    check_tenant_role,
    fetch_chart,
    reach_host,
    survey_host,
)

_ALL_WELL = (
    Condition(type="Reachable", status="True", reason="Connected", message="It answers."),
    Condition(type="Authorized", status="True", reason="Connected", message="Marina has every permission it needs."),
    Condition(type="CredentialAccepted", status="True", reason="Connected", message="The newest one is in use."),
    Condition(type="CredentialExpiring", status="False", reason="Connected", message="It was given a new credential."),
)


def connected(operation: Operation, now: datetime) -> None:
    """The host takes placements from now on, and whatever an earlier credential was blamed for is over."""
    host = _locked(operation)
    host.phase = HostPhase.CONNECTED
    for condition in _ALL_WELL:
        host.conditions = condition_set(host.conditions, condition, now=now)
    host.save(update_fields=["phase", "conditions"])
    host_trusted(host_id=host.pk, now=now)


def refused(operation: Operation, now: datetime) -> None:
    """The credential that could not be proved is erased; one that was in use before stays in use."""
    host = _locked(operation)
    candidate_erase(host=host)
    why = operation.error_message or operation.message or "Connecting was aborted."
    kind = "Reachable" if operation.error_code in ("unreachable", "timeout", "certificate") else "Authorized"
    if host.phase == HostPhase.CONNECTED:
        kind, why = "CredentialAccepted", f"A new credential was refused, the one before stays in use. {why}"
    condition = Condition(type=kind, status="False", reason="ConnectFailed", message=why)
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
    steps=(
        reach_host,
        check_permissions,
        check_identity,
        check_tenant_role,
        survey_host,
        fetch_chart,
        accept_credential,
    ),
    on_success=connected,
    on_failure=refused,
    on_abort=refused,
    left_behind=of_connecting,
    breaker=False,  # it is how a host comes back that does not answer at its old address
    slots=False,
)
