"""What a token is that the gateway was shown: whose, for what at most, and until when. Not yet what its user may."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from accounts.errors import NotAuthenticated
from accounts.limits import TokenLimits
from accounts.models import AccessToken, User
from accounts.presented_tokens import TokenOpensNothing, access_token_check, access_token_presented
from accounts.tokens import TokenText
from clusters.access import KUBECONFIG_LEVELS
from clusters.gateway_tokens import SIGNED, SignedToken, StaticTokenText
from clusters.models import GatewayToken

GET_ONE: Final = "`marina kubeconfig NAME` gives a kubeconfig whose token is known and renewed by itself."
_UNKNOWN: Final = "The gateway does not know this token."


@dataclass(frozen=True, kw_only=True)
class Presented:
    """A token that is in order. `told` names it in logs; `until` is the end of what stands behind it."""

    user: User
    limits: TokenLimits | None
    level: str = KUBECONFIG_LEVELS[0]
    cluster_id: UUID | None = None
    told: str
    prefix: str = ""
    access_token: AccessToken | None = None
    gateway_token: GatewayToken | None = None
    until: datetime | None = None
    token_until: datetime


def token_presented(text: str, *, now: datetime) -> Presented:
    """What this text (of `Bearer TEXT`) is. By one query; raises NotAuthenticated where it opens nothing."""
    if text.startswith(SIGNED):
        return _signed(SignedToken.read(text), now)
    if (static := StaticTokenText.parse(text)) is not None:
        return _static(static, now)
    if (access := TokenText.parse(text)) is not None:
        return _of_access_token(access_token_presented(access, now=now))
    raise NotAuthenticated(
        "This is no token of Marina: one is written mar_PREFIX_SECRET, mgs_PREFIX_SECRET or mgt_..., after `Bearer `.",
        hint=GET_ONE,
    )


def _of_access_token(token: AccessToken) -> Presented:
    return Presented(
        user=token.user,
        limits=token.limits,
        told=f"mar_{token.prefix}",
        prefix=token.prefix,
        access_token=token,
        until=token.expires_at,
        token_until=token.expires_at,
    )


def _signed(signed: SignedToken | None, now: datetime) -> Presented:
    if signed is None:
        raise NotAuthenticated(_UNKNOWN, hint=GET_ONE)
    if signed.expires_at <= now:
        told = f"This token expired at {signed.expires_at:%Y-%m-%d %H:%M:%S} UTC."
        raise NotAuthenticated(told, hint="`marina credential` renews it by itself: run the command again.")
    source = _source(signed, now)
    return Presented(
        user=source.user if source else _active(signed.user_id),
        limits=source.limits if source else None,
        level=signed.level,
        cluster_id=signed.cluster_id,
        told=f"{SIGNED}{signed.id}",
        prefix=source.prefix if source else "",
        access_token=source,
        until=source.expires_at if source else None,
        token_until=min(signed.expires_at, source.expires_at) if source else signed.expires_at,
    )


def _source(signed: SignedToken, now: datetime) -> AccessToken | None:
    if signed.access_token_id is None:
        return None
    token = AccessToken.objects.select_related("user").filter(pk=signed.access_token_id, user=signed.user_id).first()
    if token is None:
        raise NotAuthenticated(_UNKNOWN, hint=GET_ONE)
    return access_token_check(token, now=now)


def _active(user_id: UUID) -> User:
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise NotAuthenticated(_UNKNOWN, hint=GET_ONE)
    if not user.is_active:
        raise NotAuthenticated(f"The user {user.label} was deactivated.")
    return user


def _static(text: StaticTokenText, now: datetime) -> Presented:
    rows = GatewayToken.objects.select_related("user", "access_token__user")
    token = rows.filter(prefix=text.prefix).first()
    # an unknown prefix costs the same comparison as a wrong secret
    known = text.has_digest(token.digest if token else "0" * 64)
    if token is None or not known:
        raise NotAuthenticated(_UNKNOWN, hint=GET_ONE)
    _static_check(token, now)
    source = token.access_token
    ends = min(token.expires_at, source.expires_at) if source else token.expires_at
    return Presented(
        user=token.user,
        limits=source.limits if source else None,
        level=token.level,
        cluster_id=token.virtual_cluster_id,
        told=f"mgs_{token.prefix}",
        prefix=token.prefix,
        access_token=source,
        gateway_token=token,
        until=ends,
        token_until=ends,
    )


def _static_check(token: GatewayToken, now: datetime) -> None:
    new = "Make a new kubeconfig: `marina kubeconfig NAME --static`."
    if token.revoked_at is not None:
        raise NotAuthenticated(f"This token was revoked at {token.revoked_at:%Y-%m-%d %H:%M} UTC.", hint=new)
    if token.expires_at <= now:
        raise NotAuthenticated(f"This token expired at {token.expires_at:%Y-%m-%d %H:%M} UTC.", hint=new)
    if not token.user.is_active:
        raise NotAuthenticated(f"The user {token.user.label} was deactivated.")
    if token.access_token is not None:
        try:
            access_token_check(token.access_token, now=now)
        except TokenOpensNothing as error:
            raise NotAuthenticated(
                f"It ended with the token that it was made with. {error.message}", hint=new
            ) from None
