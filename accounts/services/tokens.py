"""Personal access tokens: made, used, revoked."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from accounts.access import staff_require
from accounts.errors import InvalidInput, NotAllowed
from accounts.models import AccessToken, User
from accounts.services.audit import Actor, audit_record
from accounts.services.rows import row_validate
from accounts.tokens import TokenText

TOKEN_MINIMUM_SECONDS: Final = 60
_USE_NOTED_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class TokenMade:
    """A new token's row, and the only copy of its text."""

    token: AccessToken
    text: str = field(repr=False)


@transaction.atomic
def token_create(*, actor: Actor, user: User, name: str, expires_in: int | None, now: datetime) -> TokenMade:
    """A token of `user` that ends after `expires_in` seconds (None: the default). Its text is never to be had again."""
    if actor.user is not None and actor.user != user:
        raise NotAllowed("You can make tokens only for yourself.")
    seconds = settings.ACCESS_TOKEN_DEFAULT_SECONDS if expires_in is None else expires_in
    most = settings.ACCESS_TOKEN_MAXIMUM_SECONDS
    if not TOKEN_MINIMUM_SECONDS <= seconds <= most:
        raise InvalidInput(
            f"A token cannot be valid for {seconds} s.",
            field="expires_in",
            accepted=f"seconds from {TOKEN_MINIMUM_SECONDS} to {most}",
        )
    text = TokenText.new()
    token = AccessToken(
        user=user, name=name, prefix=text.prefix, digest=text.digest, expires_at=now + timedelta(seconds=seconds)
    )
    row_validate(token)
    token.save(force_insert=True)
    _audit(actor, "token.create", token, expires_at=token.expires_at.isoformat())
    return TokenMade(token, text.text)


@transaction.atomic
def token_revoke(*, actor: Actor, token: AccessToken, now: datetime) -> None:
    """Ends the token at once; for its holder and platform staff. Revoking it again changes nothing."""
    if actor.user != token.user:
        staff_require(actor, "revoke the tokens of others")
    if AccessToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now):
        _audit(actor, "token.revoke", token)


def token_use_note(*, token: AccessToken, now: datetime) -> None:
    """Notes that the token was used: at most once a minute, so that reading does not mean writing."""
    if token.last_used_at is not None and now - token.last_used_at < _USE_NOTED_EVERY:
        return
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - _USE_NOTED_EVERY)
    AccessToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)


def _audit(actor: Actor, action: str, token: AccessToken, **details: str) -> None:
    audit_record(
        actor=actor,
        action=action,
        kind="access-token",
        object_id=token.pk,
        name=token.name,
        details={"of": token.user.handle, "prefix": token.prefix, **details},
    )
