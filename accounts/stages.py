"""What stands between a right password and a session."""

from allauth.mfa.stages import AuthenticateStage
from django.http import HttpRequest

from accounts.oidc.issuers import issuer_of


class SecondFactorStage(AuthenticateStage):  # type: ignore[misc]
    """A code, where the person has a second factor; not where an issuer that asks for one itself vouches for them."""

    def _should_handle(self, request: HttpRequest) -> bool:
        arriving = (self.login.signal_kwargs or {}).get("sociallogin")
        issuer = issuer_of(arriving.account.provider) if arriving else None
        return super()._should_handle(request) and not (issuer and issuer.second_factor)
