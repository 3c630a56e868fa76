"""Who asks: an access token everywhere; handle and password only where a first token is made."""

from dataclasses import replace
from typing import Any

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, BasicAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from accounts.api.actor import address_of, sender_of
from accounts.models import AccessToken, User
from accounts.presented_tokens import TokenOpensNothing, access_token_presented
from accounts.services.audit_refusals import sign_in_refused, token_refused
from accounts.services.second_factors import second_factor_has, second_factor_missing
from accounts.services.sign_ins import sign_in_note
from accounts.services.tokens import token_use_note
from accounts.sign_in import handle_of, sign_in_count, token_refusal_counts
from accounts.tokens import TokenText


class TokenRefused(AuthenticationFailed):
    """A token that opens nothing: its row, where its prefix is known, and why, for the audit log."""

    def __init__(self, told: str, *, token: AccessToken | None, why: str) -> None:
        super().__init__(told)
        self.token = token
        self.why = why


class AccessTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer mar_PREFIX_SECRET`. `request.auth` is then the AccessToken.

    Why a token is refused is told only to who sent its right secret; everybody else hears that it is not known.
    """

    def authenticate(self, request: Request) -> tuple[User, AccessToken] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != b"bearer":
            return None
        text = TokenText.parse(words[1].decode("latin-1")) if len(words) == 2 else None
        if text is None:
            raise AuthenticationFailed("This is not an access token: one is written mar_PREFIX_SECRET.")
        try:
            token = _token_checked(text)
        except TokenRefused as refused:
            _refusal_note(request, refused)
            raise
        token_use_note(token=token, now=timezone.now())
        token.user.limits = token.limits
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="marina"'


def _token_checked(text: TokenText) -> AccessToken:
    try:
        return access_token_presented(text, now=timezone.now())
    except TokenOpensNothing as error:
        raise TokenRefused(error.message, token=error.token, why=error.why) from None


def _refusal_note(request: Request, refused: "TokenRefused") -> None:
    sender, prefix = sender_of(request), refused.token.prefix if refused.token else ""
    # nobody fills the audit log by sending nonsense
    if token_refusal_counts(prefix=prefix, address=sender.address):
        token_refused(sender=replace(sender, token_prefix=prefix), token=refused.token, why=refused.why)


class PasswordAuthentication(BasicAuthentication):
    """HTTP Basic with handle and password, counted before the password is looked at."""

    def authenticate_credentials(self, userid: Any, password: Any, request: Any = None) -> tuple[User, None]:
        # what cannot be a handle is looked for all the same, so that the answer takes as long
        handle = handle_of(str(userid))
        if wait := sign_in_count(handle=handle, address=address_of(request)):
            raise Throttled(wait)
        try:
            user, _ = super().authenticate_credentials(handle, str(password), request)
        except AuthenticationFailed:
            sign_in_refused(sender=sender_of(request), handle=handle)
            raise AuthenticationFailed("Handle and password do not fit, or the user was deactivated.") from None
        if second_factor_has(user) or second_factor_missing(user):
            # told only to who has the right password, and written down: it may be somebody else who has it by now
            why = "The password fits, but the account needs a second factor."
            sign_in_refused(sender=sender_of(request), handle=handle, why=why)
            raise AuthenticationFailed(
                "A password alone does not open this account: it needs a second factor. "
                "`marina login` without a password asks for it in the browser."
            )
        sign_in_note(user=user, now=timezone.now())
        return user, None
