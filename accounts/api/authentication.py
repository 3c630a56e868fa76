"""Who asks: an access token everywhere; handle and password only where a first token is made."""

from typing import Any, Final

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, BasicAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from accounts.api.actor import address_of
from accounts.models import AccessToken, User
from accounts.services.tokens import token_use_note
from accounts.sign_in import handle_of, sign_in_count
from accounts.tokens import TokenText

UNKNOWN: Final = "This access token is not known. Make one with `marina login`."


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
        token = _token_checked(text)
        token_use_note(token=token, now=timezone.now())
        token.user.limits = token.limits
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="marina"'


def _token_checked(text: TokenText) -> AccessToken:
    token = AccessToken.objects.select_related("user").filter(prefix=text.prefix).first()
    # an unknown prefix costs the same comparison as a wrong secret
    known = text.has_digest(token.digest if token else "0" * 64)
    if token is None or not known:
        raise AuthenticationFailed(UNKNOWN)
    if token.revoked_at is not None:
        raise AuthenticationFailed(f"This access token was revoked at {token.revoked_at:%Y-%m-%d %H:%M} UTC.")
    if token.expires_at <= timezone.now():
        raise AuthenticationFailed(f"This access token expired at {token.expires_at:%Y-%m-%d %H:%M} UTC.")
    if not token.user.is_active:
        raise AuthenticationFailed(f"The user {token.user.label} was deactivated.")
    return token


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
            raise AuthenticationFailed("Handle and password do not fit, or the user was deactivated.") from None
        return user, None
