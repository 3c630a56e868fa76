"""What a person gets when they sign in for the first time."""

from datetime import datetime

from accounts.models import User


def first_sign_in(*, user: User, now: datetime) -> None:
    """Called once for each user, in the transaction that records their first sign-in, whichever way they came.

    The user may be new (made a moment ago by OpenID Connect) or made by platform staff. What it raises ends the
    sign-in, and the next one is the first again.
    """
