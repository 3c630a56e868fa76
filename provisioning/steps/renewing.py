"""Renewing the token by which Marina reaches a host."""

from dataclasses import replace

from clusters.host_rules import SERVICE_ACCOUNT, SYSTEM_NAMESPACE
from clusters.services.hosts import credential_store
from provisioning.drivers.clients import host_connection
from provisioning.engine.context import StepContext
from provisioning.engine.flow import StepResult, step

TOKEN_SECONDS = 90 * 86400
"""Asked for; the host may grant less. Renewed at half of what it granted."""


@step("Renew Marina's token on the host")
def renew_token(context: StepContext) -> StepResult:
    """A new bound token of Marina's own ServiceAccount. The old one stays valid until its end: nothing is cut off."""
    host = context.host
    token, _expires_at = context.kube().token_request(SYSTEM_NAMESPACE, SERVICE_ACCOUNT, TOKEN_SECONDS)
    connection = replace(host_connection(host), token=token)
    with context.fenced():
        credential_store(host=host, connection=connection, now=context.now, renewable=True)
    return None
