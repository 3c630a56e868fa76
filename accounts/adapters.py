"""Where allauth asks Marina about signing in and about second factors."""

from dataclasses import replace
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.api.actor import address_of, sender_of
from accounts.encryption import text_decrypt, text_encrypt
from accounts.models import User
from accounts.oidc.issuers import OidcIssuer, issuer_of
from accounts.services.audit_refusals import sign_in_refused
from accounts.services.group_grants import groups_apply
from accounts.services.sign_ins import sign_in_record
from accounts.ui.refusals import refusal


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """No sign-up, no mails; a completed sign-in is recorded and brings groups in line before the session begins."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """People come from platform staff, an invitation or an issuer."""
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """As everywhere in Marina; a Unix socket is this machine."""
        return address_of(request) or "127.0.0.1"

    def add_message(self, request: HttpRequest, level: int, *args: Any, message: str | None = None, **kw: Any) -> None:
        """Only what Marina says itself."""
        if message:
            super().add_message(request, level, message=message)

    def get_login_stages(self) -> list[str]:
        """The second factor, and nothing else between password and session."""
        return ["accounts.stages.SecondFactorStage"]

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        """Said only to who proved to be that person."""
        sign_in_refused(sender=sender_of(request), handle=user.handle, why="The user was deactivated.")
        detail = f"The user {user.handle} was deactivated. Your platform team can activate it again."
        return refusal(request, "You cannot sign in.", detail, status=403)

    @transaction.atomic
    def login(self, request: HttpRequest, user: User) -> None:
        records = get_authentication_records(request, user)
        actor = replace(sender_of(request), user=user, name="")
        identity = _identity(records)
        if identity is not None:
            groups_apply(
                user=user,
                issuer=str(identity.extra_data.get("iss", "")),
                groups=frozenset(identity.extra_data.get("groups", [])),
                now=timezone.now(),
            )
        sign_in_record(
            actor=actor,
            user=user,
            by=str(identity.extra_data.get("iss", "")) if identity else "password",
            second_factor=any(each["method"] == "mfa" for each in records),
            now=timezone.now(),
        )
        super().login(request, user)


def _identity(records: list[dict[str, Any]]) -> Any:
    """The issuer's person by whom this sign-in was made, if it was."""
    record = next((each for each in reversed(records) if each["method"] in ("password", "socialaccount")), None)
    if record is None or record["method"] == "password":
        return None
    return SocialAccount.objects.get(provider=record["provider"], uid=record["uid"])


def issuer_of_session(request: HttpRequest, user: User) -> OidcIssuer | None:
    """The issuer by whom the session's person signed in; None where it was by password."""
    records = get_authentication_records(request, user)
    record = next((each for each in reversed(records) if each["method"] in ("password", "socialaccount")), None)
    return issuer_of(str(record.get("provider", ""))) if record else None


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Seeds are encrypted with MARINA_ENCRYPTION_KEYS before they are stored."""

    def encrypt(self, text: str) -> str:
        return text_encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return text_decrypt(encrypted_text)

    def get_totp_label(self, user: User) -> str:
        """What the app shows."""
        return f"{user.handle} on {settings.PUBLIC_URL.split('://', 1)[-1]}"

    def get_totp_issuer(self) -> str:
        return "Marina"
