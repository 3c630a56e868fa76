"""allauth's provider for OpenID Connect, made strict: every ID token is verified, with nonce, issuer and audience."""

import secrets
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

import requests
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialLogin, SocialToken
from allauth.socialaccount.providers.oauth2.client import OAuth2Client
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from accounts.oidc.claims import Claims, ClaimsRefused, claims_read, id_token_verify
from accounts.oidc.identities import identity_extra, identity_uid
from accounts.oidc.issuers import OidcIssuer, issuer_of


class OidcClient(OAuth2Client):  # type: ignore[misc]
    """Also for authorization endpoints that have a query of their own."""

    def get_redirect_url(self, authorization_url: str, scope: Iterable[str], extra_params: Mapping[str, str]) -> str:
        """Where the person is sent."""
        params = {
            "client_id": self.consumer_key,
            "redirect_uri": self.callback_url,
            "response_type": "code",
            "scope": " ".join(scope),
            "state": self.state,
            **extra_params,
        }
        return f"{authorization_url}{'&' if '?' in authorization_url else '?'}{urlencode(params)}"


class OidcProtocol(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    """One conversation with one issuer. Raises ClaimsRefused for an answer that cannot be believed."""

    client_class = OidcClient

    @property
    def issuer(self) -> OidcIssuer:
        """As the settings have it."""
        found = issuer_of(self.provider_id)
        if found is None:
            raise ClaimsRefused("it is not configured any more")
        return found

    @property
    def openid_config(self) -> Mapping[str, Any]:
        """The issuer's own description of itself, fetched once a conversation."""
        if not hasattr(self, "_openid_config"):
            found = _document(f"{self.issuer.issuer}/.well-known/openid-configuration")
            if str(found.get("issuer", "")).rstrip("/") != self.issuer.issuer:
                raise ClaimsRefused("it calls itself by another address than OIDC_ISSUER")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if not isinstance(found.get(name), str):
                    raise ClaimsRefused(f"its description has no {name}")
            self._openid_config = found
        return self._openid_config

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        """As it is registered at the issuer, whatever name Marina was asked under this time."""
        return str(settings.PUBLIC_URL).rstrip("/") + reverse("openid_connect_callback", args=[self.provider_id])

    def get_access_token_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """What the issuer gives for the code."""
        try:
            found = super().get_access_token_data(*args, **kwargs)
        except (KeyError, TypeError, UnicodeDecodeError):
            found = None
        if not isinstance(found, dict):
            raise ClaimsRefused("its token endpoint answered with something else than JSON")
        return found

    def parse_token(self, data: Mapping[str, Any]) -> SocialToken:
        """Only for asking the userinfo; it is stored nowhere."""
        return SocialToken(token=str(data["access_token"]))

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> SocialLogin:
        """Who came back, by the ID token and, where the issuer has it, its userinfo."""
        id_token = kwargs["response"].get("id_token")
        if not isinstance(id_token, str):
            raise ClaimsRefused("it sent no ID token")
        verified = id_token_verify(id_token, issuer=self.issuer, keys=_document(self.openid_config["jwks_uri"]))
        address = self.openid_config.get("userinfo_endpoint")
        userinfo = _document(address, bearer=token.token) if isinstance(address, str) else {}
        claims = claims_read(verified, userinfo, issuer=self.issuer)
        login: SocialLogin = self.get_provider().sociallogin_from_response(request, claims)
        login.claims = claims
        return login


class OidcProvider(OpenIDConnectProvider):  # type: ignore[misc]
    """Sends people to the issuer with PKCE and a nonce, and takes nothing of the redirect from the request."""

    oauth2_adapter_class = OidcProtocol

    def redirect(
        self, request: HttpRequest, process: str, next_url: str | None = None, data: Any = None, **kwargs: Any
    ) -> HttpResponseBase:
        """The nonce is kept with the state, in the session."""
        nonce = secrets.token_urlsafe(24)
        kwargs |= {"scope": self.get_scope(), "auth_params": {"nonce": nonce}, "nonce": nonce}
        answer: HttpResponseBase = super().redirect(request, process, next_url=next_url, data=data, **kwargs)
        return answer

    def extract_uid(self, data: Claims) -> str:
        return identity_uid(data)

    def extract_extra_data(self, data: Claims) -> dict[str, Any]:
        """What is kept of the claims: whom it names, for people who look into the table."""
        return identity_extra(data)

    def extract_common_fields(self, data: Claims) -> dict[str, Any]:
        """Nothing: accounts.oidc.identities makes the user."""
        return {}

    def extract_email_addresses(self, data: Claims) -> list[Any]:
        """None: allauth's own table of addresses is not used."""
        return []


def _document(address: str, bearer: str = "") -> dict[str, Any]:
    """A JSON object from the issuer. Raises requests' errors, and ClaimsRefused for anything else than that."""
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
    with get_adapter().get_requests_session() as session:
        # an issuer that sends on to elsewhere is not the one that was configured
        answer = session.get(address, headers=headers, allow_redirects=False)
        answer.raise_for_status()
    try:
        found = answer.json()
    except requests.exceptions.JSONDecodeError:
        raise ClaimsRefused("it answered with something else than JSON") from None
    if not isinstance(found, dict):
        raise ClaimsRefused("it answered with something else than a JSON object")
    return found
