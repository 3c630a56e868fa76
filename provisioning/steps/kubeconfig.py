"""A kubeconfig for one person: a token of their own ServiceAccount inside the virtual cluster, sealed to their key.

Users never get the secret vc-NAME: it is the syncer's own identity.
"""

import base64
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from nacl.public import PublicKey, SealedBox

from clusters.connection import HostConnection, kubeconfig_render
from clusters.models import Operation
from clusters.services.kubeconfig_grants import ISSUED_LATE, grant_allowed, grant_put
from provisioning.drivers.clients import virtual_connection
from provisioning.drivers.kinds import Json
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError
from provisioning.engine.flow import Skip, StepResult, step
from provisioning.steps.names import ACCESS_NAMESPACE, MANAGED_BY, MARINA

CLUSTER_ROLES: Final = {"admin": "cluster-admin", "view": "view"}
USER_ID_LABEL = "marina.dev/user"
# Kubernetes' own view role shows no secrets; what a person at level view gets is exactly it.
NO_ADDRESS = "https://localhost:8443"


@step("Make a token for you inside the virtual cluster")
def issue_kubeconfig(context: StepContext) -> StepResult:
    """Ensures the person's ServiceAccount and binding, asks for a bound token, and stores only its sealed form."""
    if Operation.objects.filter(pk=context.operation.pk, sealed_until__isnull=False).exists():
        return Skip("It was made already.")
    level, seconds = context.params["level"], int(context.params["expires_in"])
    # it is known who has one before there is one, and until when at the latest
    ends = context.now + timedelta(seconds=seconds) + ISSUED_LATE
    _grant(context, level, ends)
    with context.virtual() as virtual:
        account = _account_ensure(context, virtual, level)
        token, _expires_at = virtual.token_request(ACCESS_NAMESPACE, account, seconds)
    sealed = _seal(_kubeconfig(context, token), context.params["public_key"])
    until = context.now + timedelta(seconds=settings.SEALED_RESULT_SECONDS)
    # the role may have been taken, and the account with it, while it was made anew
    _grant(context, level, ends)
    context.write(context.operation, sealed_result=sealed, sealed_until=until)
    return None


def _grant(context: StepContext, level: str, ends: datetime) -> None:
    with context.fenced():
        grant_put(operation=context.operation, level=level, expires_at=ends)
        allowed = grant_allowed(context.operation)
    if not allowed:
        raise PermanentError(
            f"Your role does not give a kubeconfig of level {level} any more.",
            code="role-taken",
            hint="Ask an admin of the project for a role, then for a new kubeconfig.",
        )


def _account_ensure(context: StepContext, virtual: KubeClient, level: str) -> str:
    user = context.operation.requested_by
    if user is None:
        raise ValueError("a kubeconfig is always asked for by somebody")
    name = account_name(user.pk, level)
    labels = {MANAGED_BY: MARINA, USER_ID_LABEL: str(user.pk)}
    for manifest in account_manifests(name, level, labels, handle=user.handle):
        virtual.apply(manifest)
    return name


def account_name(user_id: UUID, level: str) -> str:
    """Of the ServiceAccount of one user and level."""
    return f"user-{user_id}-{level}"


def binding_name(account: str) -> str:
    """Of the ClusterRoleBinding of such a ServiceAccount."""
    return f"marina:{account}"


def account_manifests(name: str, level: str, labels: dict[str, str], *, handle: str) -> list[Json]:
    """The ServiceAccount of one user and level, bound to what the level means inside."""
    rbac = "rbac.authorization.k8s.io"
    return [
        # a tenant who is cluster-admin may have deleted it
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": ACCESS_NAMESPACE, "labels": {MANAGED_BY: MARINA}},
        },
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {
                "name": name,
                "namespace": ACCESS_NAMESPACE,
                "labels": labels,
                "annotations": {"marina.dev/handle": handle},
            },
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": binding_name(name), "labels": labels},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": CLUSTER_ROLES[level]},
            "subjects": [{"kind": "ServiceAccount", "namespace": ACCESS_NAMESPACE, "name": name}],
        },
    ]


def _kubeconfig(context: StepContext, token: str) -> str:
    """The serving certificate always names localhost, whatever the address: so that is what clients check."""
    placement = context.placement
    trusted = virtual_connection(context.kube(), placement)
    connection = HostConnection(
        server=placement.endpoint or NO_ADDRESS, ca_pem=trusted.ca_pem, token=token, tls_server_name="localhost"
    )
    return kubeconfig_render(connection, context=f"marina-{context.virtual_cluster.name}")


def _seal(text: str, public_key: str) -> bytes:
    return bytes(SealedBox(PublicKey(base64.b64decode(public_key))).encrypt(text.encode()))
