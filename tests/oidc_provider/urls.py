"""The provider's addresses."""

from django.http import HttpResponse
from django.urls import include, path

from tests.oidc_provider import people

urlpatterns = [
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("login", people.sign_in),
    path("people", people.people),
    path("behaviour", people.behaviour),
    path("alive", lambda request: HttpResponse("yes")),
]
