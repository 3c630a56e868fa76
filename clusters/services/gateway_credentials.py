"""Short-lived tokens for the gateway: `marina credential` gets one whenever kubectl needs it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from django.conf import settings
from django.db import transaction

from accounts.models import AccessToken, AuditEvent, User
from accounts.services.audit import Actor
from clusters.gateway_kubeconfig import exec_kubeconfig, gateway_require
from clusters.gateway_tokens import SignedToken
from clusters.models import VirtualCluster, VirtualClusterPhase
from clusters.services.cluster_rows import virtual_cluster_audit
from clusters.services.gateway_access import deleted_cluster
from clusters.services.kubeconfig_levels import action_of, holder_of, level_chosen

_RECORDED_EVERY: Final = timedelta(days=1)


@dataclass(frozen=True)
class CredentialMade:
    """A short-lived token: what it opens, and the only copy of its text."""

    token: SignedToken
    text: str = field(repr=False)


@transaction.atomic
def gateway_credential_issue(
    *, virtual_cluster: VirtualCluster, actor: Actor, source: AccessToken | None, now: datetime, level: str = ""
) -> CredentialMade:
    """A token of the acting user for this cluster, which ends soon, and at once with `source` or the role.

    `level`: admin or view; empty gives the highest there is. `source`: the access token that asks, if one does. Raises
    NotAllowed, Gone for a deleted cluster, and Conflict where there is no gateway. The audit log tells of the first one
    in a day; what is done with it is recorded by the gateway.
    """
    user = holder_of(actor)
    if virtual_cluster.phase == VirtualClusterPhase.DELETED:
        raise deleted_cluster(virtual_cluster)
    chosen = level_chosen(user, virtual_cluster, level)
    gateway_require(virtual_cluster)
    ends = now + timedelta(seconds=settings.GATEWAY_TOKEN_SECONDS)
    token = SignedToken(
        id=uuid4().hex,
        user_id=user.pk,
        cluster_id=virtual_cluster.pk,
        level=chosen,
        access_token_id=source.pk if source else None,
        issued_at=now,
        expires_at=min(ends, source.expires_at) if source else ends,
    )
    _audit_daily(actor, user, virtual_cluster, chosen, now)
    return CredentialMade(token, token.written())


def _audit_daily(actor: Actor, user: User, cluster: VirtualCluster, level: str, now: datetime) -> None:
    action = action_of(level)
    told = AuditEvent.objects.filter(object_kind="virtual-cluster", object_id=str(cluster.pk), action=action)
    told = told.filter(actor_id=user.pk, token_prefix=actor.token_prefix, details__form="gateway")
    if told.filter(created_at__gt=now - _RECORDED_EVERY).exists():
        return
    virtual_cluster_audit(
        actor,
        action,
        cluster,
        details={"form": "gateway"},
    )


@dataclass(frozen=True)
class KubeconfigShown:
    """A kubeconfig without a secret, and what it opens."""

    text: str
    level: str


def gateway_kubeconfig(*, virtual_cluster: VirtualCluster, actor: Actor, level: str = "") -> KubeconfigShown:
    """The kubeconfig whose tokens `marina credential` gets. Refused to who would get none by it.

    Without `level` it opens whatever the role and the ceilings give at each time.
    """
    user = holder_of(actor)
    if virtual_cluster.phase == VirtualClusterPhase.DELETED:
        raise deleted_cluster(virtual_cluster)
    now_given = level_chosen(user, virtual_cluster, level)
    return KubeconfigShown(exec_kubeconfig(virtual_cluster, level=level), now_given)
