"""Second factors: codes of an app (TOTP) and recovery codes. allauth keeps the rows; here is what may be done."""

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

from accounts.access import staff_require
from accounts.encryption import text_decrypt
from accounts.errors import Conflict, InvalidInput
from accounts.models import User
from accounts.services.audit import Actor, audit_record
from accounts.token_scope import unlimited_require

WRONG_CODE = "This code does not fit. Codes of an app change every 30 s and work once."


def second_factor_has(user: User) -> bool:
    """Whether a code is asked for when this person signs in."""
    return bool(Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists())


def second_factor_missing(user: User) -> bool:
    """Whether the settings want a second factor of this person, who has none."""
    return settings.MFA_REQUIRED_FOR_STAFF and (user.is_staff or user.is_superuser) and not second_factor_has(user)


def second_factor_secret_new() -> str:
    """A seed for an app, in base32."""
    return str(generate_totp_secret())


@transaction.atomic
def second_factor_set_up(*, actor: Actor, user: User, secret: str, code: str, now: datetime) -> list[str]:
    """Makes the app with this seed the second factor, proved by a code of it. The recovery codes are the answer.

    Raises InvalidInput for a wrong code, Conflict where there is a second factor already.
    """
    unlimited_require(user, "set a second factor up")
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if second_factor_has(user):
        raise Conflict("You have a second factor already.", hint="Remove it first.")
    if not validate_totp_code(secret, code):
        raise InvalidInput(WRONG_CODE, field="code")
    TOTP.activate(user, secret)
    code_use(actor=actor, user=user, code=code, now=now)  # the code that proved it signs nobody in
    Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).delete()
    codes: list[str] = RecoveryCodes.activate(user).get_unused_codes()
    _audit(actor, "user.second-factor.set-up", user)
    return codes


@transaction.atomic
def recovery_codes_renew(*, actor: Actor, user: User) -> list[str]:
    """New recovery codes in place of the old. Raises Conflict for who has no second factor."""
    unlimited_require(user, "renew recovery codes")
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if not second_factor_has(user):
        raise Conflict("Without a second factor there are no recovery codes.", hint="Set one up first.")
    Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).delete()
    codes: list[str] = RecoveryCodes.activate(user).get_unused_codes()
    _audit(actor, "user.recovery-codes.renew", user)
    return codes


def recovery_codes_left(user: User) -> int:
    """How many of them were not used yet."""
    row = Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).first()
    return len(row.wrap().get_unused_codes()) if row else 0


@transaction.atomic
def second_factor_remove(*, actor: Actor, user: User) -> bool:
    """Takes the second factor and its recovery codes away; of others only by platform staff. False: there was none."""
    if actor.user != user:
        staff_require(actor, "remove the second factor of others")
    else:
        unlimited_require(user, "remove a second factor")
    removed, _ = Authenticator.objects.filter(user=user).delete()
    if removed:
        _audit(actor, "user.second-factor.remove", user)
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
