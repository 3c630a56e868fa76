"""Second factors: codes of an app (TOTP) and recovery codes. allauth keeps the rows; here is what may be done."""

from dataclasses import dataclass
from datetime import datetime

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    validate_totp_code,
    yield_hotp_counters_from_time,
)
from django.conf import settings
from django.db import transaction
from django.urls import reverse

from accounts.access import staff_require
from accounts.encryption import text_decrypt
from accounts.errors import Conflict, InvalidInput, NotAllowed
from accounts.models import User
from accounts.services.audit import Actor, audit_record
from accounts.services.notifications import About, notification_send
from accounts.token_scope import unlimited_require

WRONG_CODE = "This code does not fit. Codes of an app change every 30 s and work once."


def second_factor_has(user: User) -> bool:
    """Whether a code is asked for when this person signs in."""
    return bool(Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists())


def second_factor_missing(user: User) -> bool:
    """Whether the settings want a second factor of this person, who has none."""
    return settings.MFA_REQUIRED_FOR_STAFF and (user.is_staff or user.is_superuser) and not second_factor_has(user)


@dataclass(frozen=True, kw_only=True)
class SecondFactorState:
    """What a person has: since when (None: nothing), when a code was last used, how many recovery codes are left."""

    since: datetime | None
    last_used_at: datetime | None
    recovery_codes_left: int
    wanted: bool
    """The settings want one of this person."""


def second_factor_state(user: User) -> SecondFactorState:
    """One's own; not for limited tokens."""
    second_factor_check(user, "read about a second factor")
    rows = {row.type: row for row in Authenticator.objects.filter(user=user)}
    app = rows.get(Authenticator.Type.TOTP)
    codes = rows.get(Authenticator.Type.RECOVERY_CODES)
    used = [row.last_used_at for row in rows.values() if row.last_used_at]
    return SecondFactorState(
        since=app.created_at if app else None,
        last_used_at=max(used, default=None),
        recovery_codes_left=len(codes.wrap().get_unused_codes()) if app and codes else 0,
        wanted=settings.MFA_REQUIRED_FOR_STAFF and (user.is_staff or user.is_superuser),
    )


def second_factor_check(user: User, what: str) -> None:
    """Lets pass people who came by a session or an unlimited token; `what` completes "... cannot ..."."""
    if user.is_service_account:
        raise NotAllowed(f"A service account cannot {what}.", hint="It never signs in; its tokens can be limited.")
    unlimited_require(user, what)


def second_factor_may_begin(user: User) -> None:
    """Raises NotAllowed for service accounts and limited tokens, Conflict where there is a second factor already."""
    second_factor_check(user, "set a second factor up")
    if second_factor_has(user):
        raise Conflict("You have a second factor already.", hint="Turn it off first.")


def second_factor_required(user: User, what: str) -> None:
    """Raises NotAllowed as above, and Conflict for who has none. `what` completes "... cannot ..."."""
    second_factor_check(user, what)
    if not second_factor_has(user):
        raise Conflict("You have no second factor.", hint="Set one up first.")


def second_factor_secret_new() -> str:
    """A seed for an app, in base32."""
    return str(generate_totp_secret())


@transaction.atomic
def second_factor_set_up(*, actor: Actor, user: User, secret: str, code: str, now: datetime) -> list[str]:
    """Makes the app with this seed the second factor, proved by a code of it. The recovery codes are the answer.

    Raises InvalidInput for a wrong code, Conflict where there is a second factor already.
    """
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    second_factor_may_begin(user)
    if not validate_totp_code(secret, code):
        raise InvalidInput(WRONG_CODE, field="code")
    TOTP.activate(user, secret)
    code_use(actor=actor, user=user, code=code, now=now)  # the code that proved it signs nobody in
    Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).delete()
    codes: list[str] = RecoveryCodes.activate(user).get_unused_codes()
    _audit(actor, "user.second-factor.set-up", user)
    _tell(user, "A second factor was set up for your account: a code is asked for when you sign in.", now)
    return codes


@transaction.atomic
def recovery_codes_renew(*, actor: Actor, user: User, now: datetime) -> list[str]:
    """New recovery codes in place of the old. Raises Conflict for who has no second factor."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    second_factor_required(user, "renew recovery codes")
    Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).delete()
    codes: list[str] = RecoveryCodes.activate(user).get_unused_codes()
    _audit(actor, "user.recovery-codes.renew", user)
    _tell(user, "Your account got new recovery codes; the old ones open nothing any more.", now)
    return codes


def recovery_codes_left(user: User) -> int:
    """How many of them were not used yet."""
    row = Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).first()
    return len(row.wrap().get_unused_codes()) if row else 0


@transaction.atomic
def second_factor_remove(*, actor: Actor, user: User, now: datetime) -> bool:
    """Takes one's own second factor and its recovery codes away. False: there was none.

    Whoever calls it has seen a code of it: a session or a token alone is not enough.
    """
    if actor.user != user:
        raise NotAllowed("People turn off only their own second factor.", hint="Platform staff reset that of others.")
    second_factor_check(user, "remove a second factor")
    return _removed(actor, user, "The second factor of your account was turned off.", now)


@transaction.atomic
def second_factor_reset(*, actor: Actor, user: User, now: datetime) -> bool:
    """For who lost app and codes: platform staff take somebody's second factor away, and they are told.

    False: there was none. Nobody resets their own (that takes a code), and only superusers that of a superuser.
    """
    staff_require(actor, "reset the second factor of others")
    if actor.user == user:
        raise Conflict("Your own second factor is turned off with a code of it.", hint="Ask others of your team.")
    if user.is_superuser and actor.user is not None and not actor.user.is_superuser:
        raise NotAllowed("Only superusers may reset the second factor of a superuser.", hint="Ask one of them.")
    who = f"{actor.label} of the platform's staff" if actor.user else "Your platform team"
    said = f"{who} removed the second factor of your account. Set a new one up soon."
    return _removed(actor, user, said, now)


def _removed(actor: Actor, user: User, said: str, now: datetime) -> bool:
    # the lock of those that set one up: of a removal and a renewal at once nothing stays behind
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    removed, _ = Authenticator.objects.filter(user=user).delete()
    if removed:
        _audit(actor, "user.second-factor.remove", user)
        _tell(user, said, now)
    return bool(removed)


@transaction.atomic
def code_use(*, actor: Actor, user: User, code: str, now: datetime) -> Authenticator | None:
    """The factor whose code this is, or None. A code works once, over all web processes."""
    for row in Authenticator.objects.select_for_update().filter(user=user).order_by("-type"):
        if row.type == Authenticator.Type.TOTP and _totp_use(row, code):
            break
        if row.type == Authenticator.Type.RECOVERY_CODES and row.wrap().validate_code(code):
            _audit(actor, "user.recovery-code.use", user)
            row.refresh_from_db()
            break
    else:
        return None
    row.last_used_at = now
    row.save(update_fields=["last_used_at"])
    return row


def _totp_use(row: Authenticator, code: str) -> bool:
    """Whether the code is one of now that is later than the last one used (RFC 6238, 5.2)."""
    secret, used = text_decrypt(row.data["secret"]), row.data.get("used", -1)
    for counter in yield_hotp_counters_from_time():
        if counter > used and compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, counter))):
            row.data["used"] = counter
            row.save(update_fields=["data"])
            return True
    return False


def _audit(actor: Actor, action: str, user: User) -> None:
    audit_record(actor=actor, action=action, kind="user", object_id=user.pk, name=user.handle)


def _tell(user: User, text: str, now: datetime) -> None:
    """Whoever changed it: where it was not them, this is how people learn that somebody is in their account."""
    notification_send(
        recipients=[user],
        kind="second-factor",
        about=About(kind="user", id=user.pk, name=user.handle),
        text=f"{text} If that was not you, change your password and tell your platform team.",
        link=reverse("mfa_index"),
        command="marina second-factor status",
        now=now,
    )
