"""What people change of their own account."""

from datetime import datetime, timedelta
from typing import Final

from allauth.usersessions.models import UserSession
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.errors import FieldError, InvalidInput, NotAllowed
from accounts.models import User
from accounts.services.audit import Actor, audit_record
from accounts.services.rows import row_validate
from accounts.token_scope import unlimited_require

_LISTED_BEFORE_STORED: Final = timedelta(minutes=5)
"""A session that begins is listed before it is stored; so long it is left alone."""


@transaction.atomic
def own_name_set(*, actor: Actor, user: User, name: str) -> User:
    """Changes what pages call the person. The e-mail address is given by platform staff or the issuer."""
    _own(actor, user)
    before, user.name = user.name, name
    row_validate(user)
    user.save(update_fields=["name"])
    _audit(actor, "user.update", user, before={"name": before}, after={"name": name})
    return user


@transaction.atomic
def own_password_set(*, actor: Actor, user: User, current: str, new: str) -> None:
    """Another password, proved by the present one. It ends the person's other sessions; access tokens stay.

    Who has no password (they come by an issuer) gets none here. Raises InvalidInput naming the field.
    """
    _own(actor, user)
    if not user.has_usable_password() or not user.check_password(current):
        raise InvalidInput("This is not your present password.", field="current")
    try:
        validate_password(new, user)
    except ValidationError as error:
        raise InvalidInput.of(FieldError(field="new", message=text) for text in error.messages) from None
    user.set_password(new)
    user.save(update_fields=["password"])
    _audit(actor, "user.password", user)


def session_moved(*, before: str | None, after: str | None) -> None:
    """A session goes on under another key; it stays the same one in the list."""
    UserSession.objects.filter(session_key=before or "").update(session_key=after or "")


def ended_sessions_forget(*, now: datetime) -> int:
    """Removes from the lists what ended by its time or by signing out; says how many. Run by a schedule."""
    live = Session.objects.filter(expire_date__gt=now).values("session_key")
    ended = UserSession.objects.filter(last_seen_at__lt=now - _LISTED_BEFORE_STORED).exclude(session_key__in=live)
    return int(ended.delete()[0])


@transaction.atomic
def session_revoke(*, actor: Actor, user: User, key: int) -> bool:
    """Ends one of the person's sessions at once; False where there is none with this key."""
    _own(actor, user)
    return bool(_revoke(actor, user, list(UserSession.objects.filter(user=user, pk=key))))


@transaction.atomic
def sessions_revoke_others(*, actor: Actor, user: User, kept: str | None) -> int:
    """Ends all of the person's sessions but the one whose session key is `kept`; says how many."""
    _own(actor, user)
    return _revoke(actor, user, list(UserSession.objects.filter(user=user).exclude(session_key=kept or "")))


def _revoke(actor: Actor, user: User, sessions: list[UserSession]) -> int:
    for session in sessions:
        _audit(actor, "user.session.revoke", user, address=session.ip, browser=session.user_agent[:100])
        session.end()
    return len(sessions)


def _own(actor: Actor, user: User) -> None:
    if actor.user != user:
        raise NotAllowed("People change only their own account here.")
    unlimited_require(user, "change an account")


def _audit(actor: Actor, action: str, user: User, **details: object) -> None:
    audit_record(actor=actor, action=action, kind="user", object_id=user.pk, name=user.handle, details=details)
