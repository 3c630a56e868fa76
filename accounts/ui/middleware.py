"""What holds for every page: what browsers may load, that nothing is kept, and what sessions are good for."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from accounts.adapters import issuer_of_session
from accounts.api.actor import address_of
from accounts.api.problems import API_PREFIX, Problem, problem_answer
from accounts.models import User
from accounts.services.second_factors import second_factor_missing

Answer = Callable[[HttpRequest], HttpResponse]

_OTHERS: Final = ("/admin/", API_PREFIX, "/static/")
"""Pages of libraries, which carry scripts of their own."""

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SEEN_EVERY: Final = timedelta(minutes=1)


class PageMiddleware:
    """Marina's own pages load nothing from outside, run no script that stands in a page, and are kept by nobody."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.get_response(request)
        if request.path.startswith(_OTHERS):
            return answer
        # where people are sent on to an issuer, browsers would ask the policy about the issuer's addresses, too
        sends_on = getattr(answer, "sends_on", False)
        answer.headers.setdefault("Content-Security-Policy", _POLICY + ("" if sends_on else "; form-action 'self'"))
        answer.headers.setdefault("Cache-Control", "no-store")
        answer.headers.setdefault("Referrer-Policy", "same-origin")
        return answer


class SessionMiddleware:
    """Notes when a session was last used, and lets platform staff do nothing before the second factor that they need.

    Requests with an access token have no session and are left alone.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # without the cookie there is no session to look for, and the answer does not vary with it
        user = request.user if settings.SESSION_COOKIE_NAME in request.COOKIES else None
        if isinstance(user, User):
            _seen(request)
            if not _allowed_without(request) and _second_factor_missing(request, user):
                return _set_up_first(request)
        return self.get_response(request)


def _seen(request: HttpRequest) -> None:
    """At most once a minute for each process, so that reading does not mean writing."""
    key = request.session.session_key
    if caches["default"].add(f"seen:{key}", True, _SEEN_EVERY.total_seconds()):
        now = timezone.now()
        stale = UserSession.objects.filter(session_key=key, last_seen_at__lte=now - _SEEN_EVERY)
        stale.update(last_seen_at=now, ip=address_of(request) or "127.0.0.1")


def _allowed_without(request: HttpRequest) -> bool:
    return request.path in (reverse("second_factor_set_up"), reverse("account_logout"), "/livez", "/readyz") or (
        request.path.startswith("/static/")
    )


def _second_factor_missing(request: HttpRequest, user: User) -> bool:
    if not second_factor_missing(user):
        return False
    issuer = issuer_of_session(request, user)
    return issuer is None or not issuer.second_factor


def _set_up_first(request: HttpRequest) -> HttpResponse:
    said = "Platform staff need a second factor here."
    if request.path.startswith(API_PREFIX):
        hint = f"Set one up at {reverse('second_factor_set_up')}."
        return problem_answer(request, Problem(status=403, code="second-factor-needed", detail=said, hint=hint))
    messages.warning(request, f"{said} Set one up to go on.")
    return redirect("second_factor_set_up")
