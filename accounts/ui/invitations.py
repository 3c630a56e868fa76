"""/invitations/SECRET: who invites to what, and the button that accepts."""

from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views import View

from accounts.api.actor import actor_of
from accounts.errors import MarinaError
from accounts.services.invitations import invitation_accept, invitation_find


class InvitationPage(View):
    """For who has the link. Whoever is not signed in is sent to do that first, and comes back."""

    http_method_names = ("get", "post", "head", "options")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        try:
            answer = super().dispatch(request, *args, **kwargs)
        except MarinaError as refusal:
            answer = self._page(request, status=refusal.status, refusal=refusal)
        answer["Cache-Control"] = "no-store"  # the address holds the secret
        answer["Referrer-Policy"] = "same-origin"
        return answer

    def get(self, request: HttpRequest, secret: str) -> HttpResponse:
        """Shows what accepting it would give."""
        return self._page(request, invitation=invitation_find(secret=secret, now=timezone.now()))

    def post(self, request: HttpRequest, secret: str) -> HttpResponse:
        """Accepts it."""
        accepted = invitation_accept(actor=actor_of(request), secret=secret, now=timezone.now())
        return self._page(request, invitation=accepted, accepted=True)

    @staticmethod
    def _page(request: HttpRequest, *, status: int = 200, **shown: Any) -> HttpResponse:
        context = {**shown, "public_url": settings.PUBLIC_URL}
        return render(request, "marina/invitation.html", context, status=status)
