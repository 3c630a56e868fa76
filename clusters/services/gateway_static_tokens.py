"""Static tokens for the gateway: for kubeconfigs of tools that run no other command. Made, rotated, revoked."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction

from accounts.access import actor_require, allowed, staff_require
from accounts.errors import Conflict, InvalidInput, NotAllowed, NotFound
from accounts.models import AccessToken, ServiceAccount, User
from accounts.services.audit import Actor, audit_record
from accounts.services.rows import row_validate
from accounts.services.token_maximum import TOKEN_MINIMUM_SECONDS, token_maximum, token_seconds
from accounts.spans import span_words, spans_accepted
from clusters.gateway_kubeconfig import gateway_require
from clusters.gateway_tokens import StaticTokenText
from clusters.models import GatewayToken, VirtualCluster, VirtualClusterPhase
from clusters.services.gateway_access import deleted_cluster
from clusters.services.kubeconfig_levels import holder_of, level_chosen

NAME: Final = "kubeconfig"
OVERLAP_MAXIMUM_SECONDS: Final = 7 * 86400


@dataclass(frozen=True)
class GatewayTokenMade:
    """A new token's row, and the only copy of its text."""

    token: GatewayToken
    text: str = field(repr=False)


@transaction.atomic
def gateway_token_create(
    *,
    virtual_cluster: VirtualCluster,
    actor: Actor,
    source: AccessToken | None,
    now: datetime,
    name: str = NAME,
    level: str = "",
    expires_in: int | None = None,
    service_account: ServiceAccount | None = None,
) -> GatewayTokenMade:
    """A token of the acting user, or of a service account that they manage, for this cluster alone.

    It holds `expires_in` seconds (None: 30 days, for service accounts a year), as far as the cluster's organization
    allows. Made with a limited token (`source`), it ends with that and its limits hold. Raises as
    `gateway_credential_issue` does, and InvalidInput for how long it cannot hold.
    """
    holder, limited = _holder(actor, service_account, source)
    if virtual_cluster.phase == VirtualClusterPhase.DELETED:
        raise deleted_cluster(virtual_cluster)
    chosen = _level(actor, holder, virtual_cluster, level)
    gateway_require(virtual_cluster)
    made = _write(
        holder,
        virtual_cluster=virtual_cluster,
        level=chosen,
        name=name,
        created_by=actor.user,
        access_token=limited,
        expires_at=_end(holder, virtual_cluster, limited, expires_in, now),
    )
    gateway_token_audit(actor, "gatewaytoken.create", made.token, **_told(made.token))
    return made


def _holder(
    actor: Actor, account: ServiceAccount | None, source: AccessToken | None
) -> tuple[User, AccessToken | None]:
    """Whose it will be, and the limited token that it will end with."""
    user = holder_of(actor)
    if account is None:
        return user, source if user.limits is not None else None
    if user.limits is not None:
        raise NotAllowed(
            "A token that is limited to some actions or projects makes no token for somebody else.",
            hint="Make it with a token that is not limited: `marina login` gives you one.",
        )
    actor_require(actor, "serviceaccount.manage", account.project)
    return account.user, None


def _level(actor: Actor, holder: User, cluster: VirtualCluster, level: str) -> str:
    try:
        return level_chosen(holder, cluster, level)
    except (NotAllowed, NotFound) as error:
        if holder == actor.user or error.code == "kubeconfig-ceiling":
            raise
        raise NotAllowed(
            f"{holder.label} has no role that gives {level or 'a kubeconfig'} in {cluster}.",
            hint=f"Give it a role in {cluster.project}, or share the cluster with it (`marina share {cluster.name}`).",
        ) from None


def _end(
    holder: User, cluster: VirtualCluster, limited: AccessToken | None, expires_in: int | None, now: datetime
) -> datetime:
    reach: Any = {"holder": holder, "projects": [cluster.project], "now": now}
    if expires_in is None and holder.is_service_account:
        seconds, _ = token_maximum(**reach)
    else:
        seconds = token_seconds(**reach, wanted=expires_in)
    end = now + timedelta(seconds=seconds)
    return min(end, limited.expires_at) if limited else end


def _write(holder: User, **columns: Any) -> GatewayTokenMade:
    text = StaticTokenText.new()
    token = GatewayToken(user=holder, prefix=text.prefix, digest=text.digest, **columns)
    row_validate(token)
    token.save(force_insert=True)
    return GatewayTokenMade(token, text.text)


@transaction.atomic
def gateway_token_rotate(
    *, token: GatewayToken, actor: Actor, now: datetime, expires_in: int | None = None, overlap: int = 0
) -> GatewayTokenMade:
    """A new token in the place of this one: same holder, cluster, level and name.

    It holds as long as this one was made for, unless `expires_in` says otherwise. This one ends now, or after `overlap`
    seconds, so that whoever uses it has time to take the new one.
    """
    _manage_require(actor, token)
    _overlap_check(overlap)
    locked = GatewayToken.objects.select_for_update().get(pk=token.pk)
    cluster, holder = token.virtual_cluster, token.user
    if cluster.phase == VirtualClusterPhase.DELETED:
        raise deleted_cluster(cluster)
    if locked.revoked_at is not None or locked.expires_at <= now:
        raise Conflict(f"{token.name} has ended.", hint=f"Make a new one: `marina kubeconfig {cluster.name} --static`.")
    level = _level(actor, holder, cluster, token.level)
    lifetime = int((locked.expires_at - locked.created_at).total_seconds())
    most, _ = token_maximum(holder=holder, projects=[cluster.project], now=now)
    wanted = max(TOKEN_MINIMUM_SECONDS, min(lifetime, most)) if expires_in is None else expires_in
    made = _write(
        holder,
        virtual_cluster=cluster,
        level=level,
        name=token.name,
        created_by=actor.user,
        access_token=token.access_token,
        expires_at=_end(holder, cluster, token.access_token, wanted, now),
    )
    locked.expires_at = min(locked.expires_at, now + timedelta(seconds=overlap))
    locked.revoked_at = None if overlap else now
    locked.save(update_fields=["expires_at", "revoked_at"])
    gateway_token_audit(
        actor, "gatewaytoken.rotate", made.token, **_told(made.token), instead_of=token.prefix, overlap=overlap
    )
    return made


def _overlap_check(overlap: int) -> None:
    if not 0 <= overlap <= OVERLAP_MAXIMUM_SECONDS:
        raise InvalidInput(
            f"The old token cannot hold for another {span_words(overlap)}.",
            field="overlap",
            accepted=spans_accepted(0, OVERLAP_MAXIMUM_SECONDS),
        )


@transaction.atomic
def gateway_token_revoke(*, token: GatewayToken, actor: Actor, now: datetime) -> None:
    """Ends it at once: for its holder, who manages the service account whose it is, and the project's admins.

    Revoking it again changes nothing.
    """
    user = actor.user
    if user is None or not allowed(user, "project.members", token.virtual_cluster.project):
        _manage_require(actor, token)
    gateway_token_end(token=token, actor=actor, now=now)


@transaction.atomic
def gateway_token_revoke_by_prefix(*, prefix: str, actor: Actor, now: datetime) -> GatewayToken:
    """Ends whosever token has this prefix (`mgs_PREFIX_`, as logs and audit rows have it). For platform staff."""
    staff_require(actor, "revoke tokens by their prefix")
    rows = GatewayToken.objects.select_related("user", "virtual_cluster__project__organization")
    token = rows.filter(prefix=prefix).first()
    if token is None:
        raise NotFound("There is no token with this prefix.")
    gateway_token_end(token=token, actor=actor, now=now)
    return token


def gateway_token_end(*, token: GatewayToken, actor: Actor, now: datetime, **details: Any) -> bool:
    """Ends it, in the caller's transaction, who has asked whether the actor may; says whether it had not ended yet."""
    ended = GatewayToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now)
    if ended:
        gateway_token_audit(actor, "gatewaytoken.revoke", token, **details)
    return bool(ended)


def _manage_require(actor: Actor, token: GatewayToken) -> None:
    """Its holder may, unless they came with a limited token that it was not made with; else who manages the account."""
    user = actor.user
    if user is None:
        return
    if user.pk == token.user_id:
        if user.limits is not None and user.limits.token != token.access_token_id:
            raise NotAllowed("A limited token changes no token but those that were made with it.")
        return
    if not token.user.is_service_account:
        raise NotAllowed(
            f"This token is {token.user.label}'s.", hint="Its holder and the admins of the project can revoke it."
        )
    actor_require(actor, "serviceaccount.manage", token.user.service_account.project)


def _told(token: GatewayToken) -> dict[str, Any]:
    return {"level": token.level, "expires_at": token.expires_at.isoformat()}


def gateway_token_audit(actor: Actor, action: str, token: GatewayToken, **details: Any) -> None:
    """The row that tells what happened to a static token."""
    cluster = token.virtual_cluster
    audit_record(
        actor=actor,
        action=action,
        kind="gateway-token",
        object_id=token.pk,
        name=f"{token.name} of {cluster}",
        organization_id=cluster.project.organization_id,
        details={
            "of": token.user.handle,
            "prefix": token.prefix,
            "virtual_cluster": str(cluster.pk),
            **details,
        },
    )
