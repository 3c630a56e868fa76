"""Who can sign in at the provider, and what it says of them."""

import json
from typing import Any

from django.contrib.auth import authenticate, login
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from oauth2_provider.oauth2_validators import OAuth2Validator

CLAIMS: dict[str, dict[str, Any]] = {}
"""By name of the user, as the tests told them."""

BEHAVIOUR: dict[str, Any] = {}
"""What is wrong with the provider at the moment: `userinfo` (members that replace those of the userinfo)."""


class Validator(OAuth2Validator):  # type: ignore[misc]
    """Says what it was told, whatever the scope."""

    oidc_claim_scope = None

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        return {"preferred_username": request.user.username, **CLAIMS.get(request.user.username, {})}

    def get_userinfo_claims(self, request: Any) -> dict[str, Any]:
        return {**super().get_userinfo_claims(request), **BEHAVIOUR.get("userinfo", {})}


def people(request: HttpRequest) -> HttpResponse:
    """POST {name, password, claims}: makes somebody, or changes what is said of them."""
    told = json.loads(request.body)
    user, _ = User.objects.get_or_create(username=told["name"])
    user.set_password(told["password"])
    user.save()
    CLAIMS[told["name"]] = told["claims"]
    return JsonResponse({"sub": str(user.pk)})


def behaviour(request: HttpRequest) -> HttpResponse:
    """POST: replaces BEHAVIOUR."""
    BEHAVIOUR.clear()
    BEHAVIOUR.update(json.loads(request.body))
    return JsonResponse(BEHAVIOUR)


def sign_in(request: HttpRequest) -> HttpResponse:
    """The provider's login page."""
    if request.method != "POST":
        return HttpResponse("<form method=post><input name=name><input name=password type=password></form>")
    user = authenticate(request, username=request.POST["name"], password=request.POST["password"])
    if user is None:
        return HttpResponse("Wrong.", status=403)
    login(request, user)
    return HttpResponseRedirect(request.GET["next"])
