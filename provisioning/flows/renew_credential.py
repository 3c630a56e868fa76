"""How Marina's token on a host is renewed at half its life."""

from datetime import datetime

from clusters.models import Condition, HostCluster, Operation, OperationKind, condition_set
from provisioning.engine.flow import Flow
from provisioning.flows.connect import host_of
from provisioning.steps.renewing import renew_token


def renewed(operation: Operation, now: datetime) -> None:
    """Nothing expires soon."""
    _expiring(operation, now, status="False", reason="Renewed", message="Marina renewed its token.")


def not_renewed(operation: Operation, now: datetime) -> None:
    """Somebody has to give a new credential before the date."""
    host = HostCluster.objects.select_related("credential").get(pk=host_of(operation).pk)
    ends = host.credential.expires_at
    until = f"It ends at {ends:%Y-%m-%d %H:%M} UTC. " if ends else ""
    message = f"Marina could not renew its token: {operation.error_message} {until}Connect the host anew before that."
    _expiring(operation, now, status="True", reason="RenewalFailed", message=message)


def _expiring(operation: Operation, now: datetime, *, status: str, reason: str, message: str) -> None:
    host = HostCluster.objects.select_for_update(of=("self",)).get(pk=host_of(operation).pk)
    condition = Condition(
        type="CredentialExpiring", status="True" if status == "True" else "False", reason=reason, message=message
    )
    host.conditions = condition_set(host.conditions, condition, now=now)
    host.save(update_fields=["conditions"])


RENEW_CREDENTIAL = Flow(
    kind=OperationKind.RENEW_CREDENTIAL,
    steps=(renew_token,),
    on_success=renewed,
    on_failure=not_renewed,
    slots=False,
)
