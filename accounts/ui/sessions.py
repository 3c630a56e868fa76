"""/account/sessions: where the person is signed in, and the end of it."""

import re

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.api.actor import actor_of
from accounts.services.own_account import session_revoke, sessions_of, sessions_revoke_others
from accounts.ui.answers import person

_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def browser_words(user_agent: str) -> str:
    """ "Firefox on Linux", else the beginning of what the browser calls itself."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    plain = re.sub(r"[^ -~]", "?", user_agent)[:60]
    return f"{browser or 'a browser'} on {system}" if system else browser or plain or "unknown"


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def sessions(request: HttpRequest) -> HttpResponse:
    """The list; POST ends one (`session`), or all others."""
    if request.method == "POST":
        return _ended(request)
    rows = [
        {"row": row, "browser": browser_words(row.user_agent), "current": _is_current(request, row)}
        for row in sessions_of(person(request))
    ]
    rows.sort(key=lambda each: not each["current"])
    return render(request, "marina/sessions.html", {"sessions": rows})


def _ended(request: HttpRequest) -> HttpResponse:
    given = request.POST.get("session", "")
    if given == "others":
        count = sessions_revoke_others(actor=actor_of(request), user=person(request), kept=request.session.session_key)
        messages.success(request, f"{count} other {'session has' if count == 1 else 'sessions have'} ended.")
        return redirect("usersessions_list")
    row = UserSession.objects.filter(user=person(request), pk=int(given)).first() if given.isdecimal() else None
    if row is not None and _is_current(request, row):
        return redirect("account_logout")
    if row is not None and session_revoke(actor=actor_of(request), user=person(request), key=row.pk):
        messages.success(request, "The session has ended.")
    else:
        messages.info(request, "That session had ended already.")
    return redirect("usersessions_list")


def _is_current(request: HttpRequest, row: UserSession) -> bool:
    return bool(row.session_key == request.session.session_key)
