"""Where allauth asks Marina what to do with somebody who comes from an issuer."""

import hmac
from dataclasses import replace
from typing import Any

import structlog
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.base import AuthError, AuthProcess
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from accounts.api.actor import actor_of, sender_of
from accounts.errors import MarinaError
from accounts.models import User
from accounts.oidc.claims import Claims, ClaimsRefused
from accounts.oidc.identities import identity_connect, identity_user
from accounts.oidc.issuers import OidcIssuer, issuer_of, issuers
from accounts.services.audit_refusals import sign_in_refused
from accounts.ui.refusals import refusal

log = structlog.get_logger(__name__)


class OidcAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Issuers come from the settings; a person from one always has a user before allauth goes on."""

    def list_apps(self, request: HttpRequest, provider: str | None = None, client_id: str | None = None) -> list[Any]:
        """Never those of allauth's table, which would hold secrets in the clear."""
        wanted = [each for each in issuers() if provider in (None, "openid_connect", each.id)]
        return [_app(each) for each in wanted if client_id in (None, each.client_id)]

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: Any) -> Any:
        """Nothing: identities.py makes users."""
        return sociallogin.user

    def authenticate_by_email(self, sociallogin: SocialLogin) -> None:
        """Never here: identities.py links, where the issuer is trusted with that."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Nobody signs up by a form."""
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Checks the nonce, then finds, makes or connects the user."""
        claims: Claims = sociallogin.claims
        issuer = issuer_of(sociallogin.account.provider)
        expected = str(sociallogin.state.get("nonce") or "")
        if issuer is None or not expected or not hmac.compare_digest(claims.nonce.encode(), expected.encode()):
            raise ClaimsRefused("its ID token was made for another sign-in")
        sociallogin.token = None  # the issuer's token is not needed any more, and would be kept in the session
        if sociallogin.state.get("process") == AuthProcess.CONNECT:
            raise ImmediateHttpResponse(_connected(request, claims, issuer))
        if not sociallogin.is_existing:
            actor = replace(sender_of(request), name="sign-in")
            sociallogin.user = identity_user(actor=actor, claims=claims, issuer=issuer)
            sociallogin.account.user = sociallogin.user

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Exception | None = None,
        extra_context: Any = None,
    ) -> None:
        """A page that says what happened, instead of allauth's."""
        raise ImmediateHttpResponse(_refused(request, provider.name, error, exception))


def _app(issuer: OidcIssuer) -> Any:
    return SocialApp(
        provider="openid_connect",
        provider_id=issuer.id,
        name=issuer.name,
        client_id=issuer.client_id,
        secret=issuer.client_secret,
        settings={"server_url": issuer.issuer, "oauth_pkce_enabled": True, "scope": list(issuer.scopes)},
    )


def _connected(request: HttpRequest, claims: Claims, issuer: OidcIssuer) -> HttpResponse:
    if not isinstance(request.user, User):
        return redirect("account_login")
    try:
        identity_connect(actor=actor_of(request), user=request.user, claims=claims, issuer=issuer)
    except MarinaError as error:
        messages.error(request, f"{error} {error.hint}")
    else:
        messages.success(request, f"You can sign in with {issuer.name} from now on.")
    return redirect("account")


def _refused(request: HttpRequest, name: str, error: Any, exception: Exception | None) -> HttpResponse:
    if error == AuthError.CANCELLED:
        return refusal(request, "The sign-in was cancelled.", f"{name} says that you did not allow it.", status=403)
    if exception is None:
        sign_in_refused(sender=sender_of(request), why=f"{name}: begun elsewhere, too late, or completed already")
        return refusal(
            request,
            "This sign-in cannot be completed.",
            "It was begun in another browser, took longer than ten minutes, or was completed already.",
            status=400,
        )
    return issuer_failed(request, name, exception)


def issuer_failed(request: HttpRequest, name: str, error: Exception) -> HttpResponse:
    """The page for an issuer that does not answer, or not as it should. The log has the cause, without any token."""
    said = str(error) if isinstance(error, ClaimsRefused) else type(error).__name__
    log.warning("sign-in by OpenID Connect failed", issuer=name, error=said)
    sign_in_refused(sender=sender_of(request), why=f"{name}: {said}")
    detail = (
        f"{name}: {said}." if isinstance(error, ClaimsRefused) else f"{name} does not answer as it should ({said})."
    )
    return refusal(
        request,
        "Signing in did not work this time.",
        f"{detail} Try again. If it stays, tell your platform team.",
        status=502,
    )
