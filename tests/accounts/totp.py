"""Somebody's app for codes."""

import time

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value

from accounts.encryption import text_decrypt
from accounts.models import User
from accounts.services.second_factors import second_factor_secret_new
from tests.canaries import canary


def second_factor_given(user: User) -> str:
    """A second factor that has not been used yet; its seed is the answer."""
    secret = canary(second_factor_secret_new(), "the seed of a second factor")
    TOTP.activate(user, secret)
    return secret


def code_now(secret: str, *, steps: int = 0) -> str:
    """What the app shows, `steps` of 30 s from now."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps)))


def code_of(user: User, *, steps: int = 0) -> str:
    """The same, for the user's stored seed."""
    row = Authenticator.objects.get(user=user, type=Authenticator.Type.TOTP)
    return code_now(text_decrypt(row.data["secret"]), steps=steps)
