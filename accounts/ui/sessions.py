"""/account/sessions: where the person is signed in, and the end of it."""

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.api.actor import actor_of
from accounts.browser_words import browser_words
from accounts.selectors_sessions import sessions_of
from accounts.services.own_account import session_revoke, sessions_revoke_others
from accounts.ui.answers import person


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def sessions(request: HttpRequest) -> HttpResponse:
    """The list; POST ends one (`session`), or all others."""
    if request.method == "POST":
        return _ended(request)
    rows = [
        {"row": row, "browser": browser_words(row.user_agent), "current": _is_current(request, row)}
        for row in sessions_of(person(request)).order_by("-last_seen_at")
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
