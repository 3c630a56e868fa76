"""Proofs of who asks, besides the token or session: for what a stolen token or a borrowed browser must not do.

Counted like sign-ins before they are looked at, and what does not fit is in the audit log like a failed sign-in.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import Throttled
from rest_framework.request import Request

from accounts.api.actor import address_of, sender_of, user_of
from accounts.api.dry_run import DryRun
from accounts.api.strict import StrictSerializer
from accounts.errors import InvalidInput, NotAllowed
from accounts.models import AccessToken
from accounts.services.audit_refusals import sign_in_refused
from accounts.services.second_factors import WRONG_CODE, code_use, second_factor_has
from accounts.sign_in import code_count, sign_in_count


class PasswordProof(StrictSerializer):
    """The password of who asks."""

    password = serializers.CharField(
        required=False,
        max_length=1000,
        trim_whitespace=False,
        help_text="Your password, where you have one. Needed with an access token, which alone does not prove you.",
    )


class CodeProof(PasswordProof):
    """The password, and a code of the second factor."""

    code = serializers.CharField(max_length=20, help_text="A code that your app shows now, or a recovery code.")


@dataclass(frozen=True)
class Prover:
    """Looks at the proofs that came with one request to a view."""

    view: DryRun
    request: Request
    body: dict[str, Any]

    @property
    def by_token(self) -> bool:
        """Whether who asks sent an access token; else they are signed in with a browser."""
        return isinstance(self.request.auth, AccessToken)

    def password(self) -> bool:
        """Lets pass who sent their password; False for who has none. Raises InvalidInput or Throttled."""
        user, given = user_of(self.request), self.body.get("password")
        if not user.has_usable_password():
            return False
        if given is None:
            raise InvalidInput("This takes your password too.", field="password", accepted="your present password")
        if wait := sign_in_count(handle=user.handle, address=address_of(self.request)):
            raise Throttled(wait)
        if not user.check_password(given):
            self._refused("The password that was asked for again did not fit.")
            raise InvalidInput("This is not your present password.", field="password")
        return True

    def password_or_session(self) -> None:
        """The password; of who has none (they come by an issuer) a session, as only the issuer can prove them."""
        if not self.password() and self.by_token:
            raise NotAllowed(
                "An access token alone does not prove who you are, and you have no password.",
                hint="Do it in the browser, where you are signed in by your issuer: /account/second-factor.",
            )

    def code_counted(self) -> None:
        """To be called before a code is looked at. Raises Throttled."""
        if wait := code_count(handle=user_of(self.request).handle, address=address_of(self.request)):
            raise Throttled(wait)

    def code(self) -> None:
        """Uses up a code of the second factor. Raises InvalidInput or Throttled."""
        self.code_counted()
        user = user_of(self.request)
        actor = replace(sender_of(self.request), user=user, name="")
        if code_use(actor=actor, user=user, code=self.body["code"], now=timezone.now()) is None:
            self._refused("The code of the second factor did not fit.")
            raise InvalidInput(WRONG_CODE, field="code")

    def staff(self) -> None:
        """For what platform staff do to others: with a token the own password, and a code of who has a factor.

        Of who has no password the code alone. Raises InvalidInput, Throttled, or NotAllowed for who has neither.
        """
        proved = not self.by_token or self.password()
        if second_factor_has(user_of(self.request)):
            if not self.body.get("code"):
                raise InvalidInput("This takes a code of your own second factor too.", field="code")
            self.code()
        elif not proved:
            raise NotAllowed(
                "An access token alone does not prove who you are, and you have no password and no second factor.",
                hint="Set a second factor up in the browser, where you are signed in by your issuer "
                "(/account/second-factor): a code of it proves you.",
            )

    def _refused(self, why: str) -> None:
        sender, handle = sender_of(self.request), user_of(self.request).handle
        self.view.keep(partial(sign_in_refused, sender=sender, handle=handle, why=why))
