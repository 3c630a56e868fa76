"""What a presented access token opens, and what its holder hears where it opens nothing."""

from datetime import datetime
from typing import Final

from accounts.errors import NotAuthenticated
from accounts.models import AccessToken
from accounts.tokens import TokenText

UNKNOWN: Final = "This access token is not known. Make one with `marina login`."


class TokenOpensNothing(NotAuthenticated):
    """A token that opens nothing: its row, where its prefix is known, and why, for the audit log."""

    def __init__(self, told: str, *, token: AccessToken | None, why: str) -> None:
        super().__init__(told, hint="" if token is None else "Make one with `marina login`.")
        self.token = token
        self.why = why


def access_token_presented(text: TokenText, *, now: datetime) -> AccessToken:
    """The token's row, with its user. Raises TokenOpensNothing.

    Why it opens nothing is told only to who has its right secret; everybody else hears that it is not known.
    """
    token = AccessToken.objects.select_related("user").filter(prefix=text.prefix).first()
    # an unknown prefix costs the same comparison as a wrong secret
    known = text.has_digest(token.digest if token else "0" * 64)
    if token is None or not known:
        raise TokenOpensNothing(UNKNOWN, token=token, why="wrong secret" if token else "unknown")
    return access_token_check(token, now=now)


def access_token_check(token: AccessToken, *, now: datetime) -> AccessToken:
    """The same of a token that is known: whether it still opens something."""
    if token.revoked_at is not None:
        told = f"This access token was revoked at {token.revoked_at:%Y-%m-%d %H:%M} UTC."
        raise TokenOpensNothing(told, token=token, why="revoked")
    if token.expires_at <= now:
        told = f"This access token expired at {token.expires_at:%Y-%m-%d %H:%M} UTC."
        raise TokenOpensNothing(told, token=token, why="expired")
    if not token.user.is_active:
        raise TokenOpensNothing(f"The user {token.user.label} was deactivated.", token=token, why="user deactivated")
    return token
