"""To an issuer and back."""

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from requests import RequestException

from accounts.oidc.adapter import issuer_failed
from accounts.oidc.claims import ClaimsRefused
from accounts.oidc.issuers import OidcIssuer, issuer_of
from accounts.oidc.provider import OidcProtocol
from accounts.ui.answers import next_of
from accounts.ui.forms import CurrentPasswordForm
from accounts.ui.refusals import refusal

_FAILURES = (RequestException, OAuth2Error, ClaimsRefused)


@never_cache
def oidc_begin(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Sends the browser to the issuer. Only a form of ours leads there, so nobody is sent by a link."""
    issuer = _issuer(provider_id)
    if request.method != "POST":
        return redirect("account_login")
    connect = request.POST.get("process") == AuthProcess.CONNECT and request.user.is_authenticated
    if connect and not CurrentPasswordForm(request, request.POST).is_valid():
        messages.error(request, "Give your present password to connect another way to sign in.")
        return redirect("account")
    process = AuthProcess.CONNECT if connect else AuthProcess.LOGIN
    try:
        provider = get_adapter(request).get_provider(request, issuer.id)
        answer: HttpResponse = provider.redirect(request, process, next_url=next_of(request) or None)
    except _FAILURES as error:
        return issuer_failed(request, issuer.name, error)
    return answer


@never_cache
@require_safe
def oidc_callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Where the issuer sends the browser back to."""
    issuer = _issuer(provider_id)
    try:
        answer: HttpResponse = OAuth2CallbackView.adapter_view(OidcProtocol(request, issuer.id))(request)
    except SocialApp.DoesNotExist:
        raise Http404 from None
    except _FAILURES as error:
        return issuer_failed(request, issuer.name, error)
    return answer


@require_safe
def oidc_cancelled(request: HttpRequest) -> HttpResponse:
    """Somebody changed their mind at the issuer."""
    return refusal(request, "The sign-in was cancelled.", "Nothing was changed.", status=403)


def _issuer(provider_id: str) -> OidcIssuer:
    issuer = issuer_of(provider_id)
    if issuer is None or issuer.id != provider_id:
        raise Http404
    return issuer
