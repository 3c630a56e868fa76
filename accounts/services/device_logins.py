"""A program asks to log in, a person allows or denies it, and the program gets its token once (RFC 8628's shape)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction

from accounts.device_codes import code_digest, device_code_new, user_code_new
from accounts.errors import InvalidInput, MarinaError, NotFound
from accounts.models import DeviceLogin, DeviceLoginState, User
from accounts.services.audit import Actor, audit_record
from accounts.services.rows import row_validate
from accounts.services.token_maximum import TOKEN_MINIMUM_SECONDS, token_maximum
from accounts.services.tokens import TokenMade, token_create
from accounts.spans import span_words, spans_accepted
from accounts.token_scope import unlimited_require

INTERVAL_SECONDS: Final = 5
"""The least between two polls. Who polls sooner has to wait so much longer from then on."""

_KEPT: Final = timedelta(days=1)
"""After its end a row stays so long, so that a late poll is told that it came late."""


class DeviceLoginPending(MarinaError):
    """No token yet, or none at all; `code` says which, in the words of RFC 8628."""

    status = 400


@dataclass(frozen=True)
class DeviceLoginBegun:
    """A new request, and the only copy of its codes."""

    login: DeviceLogin
    device_code: str = field(repr=False)
    user_code: str = field(repr=False)


@transaction.atomic
def device_login_begin(
    *, client_name: str, address: str | None, expires_in: int | None, now: datetime
) -> DeviceLoginBegun:
    """A request to log in for a token of `expires_in` seconds (None: the default). Anybody may make one."""
    most = settings.ACCESS_TOKEN_MAXIMUM_SECONDS
    if expires_in is not None and not TOKEN_MINIMUM_SECONDS <= expires_in <= most:
        raise InvalidInput(
            f"A token cannot be valid for {span_words(expires_in)}.",
            field="expires_in",
            accepted=spans_accepted(TOKEN_MINIMUM_SECONDS, most),
        )
    DeviceLogin.objects.filter(expires_at__lte=now - _KEPT).delete()
    device_code, user_code = device_code_new(), user_code_new()
    login = DeviceLogin(
        device_digest=code_digest(device_code),
        user_digest=code_digest(user_code),
        client_name=client_name,
        address=address,
        token_seconds=expires_in,
        interval=INTERVAL_SECONDS,
        expires_at=now + timedelta(seconds=settings.DEVICE_LOGIN_SECONDS),
    )
    row_validate(login)
    login.save(force_insert=True)
    return DeviceLoginBegun(login, device_code, user_code)


def device_login_waiting(*, user_code: str, now: datetime) -> DeviceLogin:
    """The request with this code that nobody has decided yet. Raises NotFound, also where it has ended."""
    waiting = DeviceLogin.objects.filter(state=DeviceLoginState.PENDING, expires_at__gt=now)
    found = waiting.filter(user_digest=code_digest(user_code)).first() if user_code else None
    if found is None:
        raise NotFound("No device waits with this code.", hint="Codes hold for a few minutes, and for one use.")
    return found


@transaction.atomic
def device_login_decide(*, actor: Actor, user: User, user_code: str, allow: bool, now: datetime) -> DeviceLogin:
    """The person's answer, which is final. Raises NotFound where there is nothing to decide."""
    unlimited_require(user, "answer a device")
    login = device_login_waiting(user_code=user_code, now=now)
    state = DeviceLoginState.ALLOWED if allow else DeviceLoginState.DENIED
    # whoever decides first has decided
    if not DeviceLogin.objects.filter(pk=login.pk, state=DeviceLoginState.PENDING).update(state=state, user=user):
        raise NotFound("This device was answered already.", hint="Start anew on the device.")
    login.refresh_from_db()
    _audit(actor, f"device-login.{'allow' if allow else 'deny'}", login)
    return login


def device_login_token(*, device_code: str, request_id: str = "", address: str | None, now: datetime) -> TokenMade:
    """The token of an allowed request, once. Raises DeviceLoginPending with the code authorization_pending,
    slow_down, denied or expired until then and after.
    """
    with transaction.atomic():
        login = DeviceLogin.objects.select_for_update().filter(device_digest=code_digest(device_code)).first()
        refusal = _refusal(login, now)
        if login is not None and refusal is None:
            return _token(login, request_id, address, now)
    if refusal is None:
        raise AssertionError("without a login there is a refusal")
    raise refusal


def _token(login: DeviceLogin, request_id: str, address: str | None, now: datetime) -> TokenMade:
    user = login.user
    if user is None or not user.is_active:
        raise DeviceLoginPending("Who allowed it was deactivated since.", code="denied")
    login.state = DeviceLoginState.USED
    login.save(update_fields=["state"])
    # whoever asked did not know then whose token it would be, and what their organizations allow
    most, _ = token_maximum(holder=user, projects=[], now=now)
    return token_create(
        actor=Actor(user=user, address=address, request_id=request_id),
        user=user,
        name=login.client_name,
        expires_in=None if login.token_seconds is None else min(login.token_seconds, most),
        now=now,
    )


def _refusal(login: DeviceLogin | None, now: datetime) -> DeviceLoginPending | None:
    """Why there is no token now. Notes the poll, so it must run in a transaction that is not rolled back."""
    again = "Run `marina login` again."
    if login is None:
        return DeviceLoginPending("This device code is not known.", hint=again, code="expired")
    if login.state == DeviceLoginState.USED:
        return DeviceLoginPending("The token of this login was handed out already.", hint=again, code="expired")
    if login.state == DeviceLoginState.DENIED:
        return DeviceLoginPending("The login was denied on the web page.", code="denied")
    if login.expires_at <= now:
        return DeviceLoginPending("Nobody allowed the login in time.", hint=again, code="expired")
    too_soon = login.polled_at is not None and now - login.polled_at < timedelta(seconds=login.interval)
    login.polled_at = now
    if too_soon:
        login.interval = min(login.interval + INTERVAL_SECONDS, 60)
    login.save(update_fields=["polled_at", "interval"])
    if too_soon:
        return DeviceLoginPending(f"Ask every {login.interval} s at most.", code="slow_down")
    if login.state == DeviceLoginState.PENDING:
        return DeviceLoginPending("Nobody has answered on the web page yet.", code="authorization_pending")
    return None


def _audit(actor: Actor, action: str, login: DeviceLogin) -> None:
    audit_record(
        actor=actor,
        action=action,
        kind="device-login",
        object_id=login.pk,
        name=login.client_name,
        details={"asked_from": login.address},
    )
