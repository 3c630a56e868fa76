"""/account/notifications/preferences: which kinds reach the person by which channel."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.services.notification_channels import mail_configured
from accounts.services.notification_preferences import Preference, preference_update, preferences_of
from accounts.ui.answers import person


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest) -> HttpResponse:
    """All kinds with a box for each channel; POST keeps them."""
    if request.method == "POST":
        changed = _kept(request)
        messages.success(request, "Your choice is kept." if changed else "Nothing was changed.")
        return redirect("notification_preferences")
    context = {"preferences": preferences_of(person(request)), "mail_off": _mail_off(request)}
    return render(request, "marina/notification_preferences.html", context)


@transaction.atomic
def _kept(request: HttpRequest) -> int:
    """Keeps what differs, so that the rest goes on following Marina's own defaults."""
    wanted = [(each, *_boxes(request, each)) for each in preferences_of(person(request))]
    changed = [(each, inbox, mail) for each, inbox, mail in wanted if (each.inbox, each.mail) != (inbox, mail)]
    for each, inbox, mail in changed:
        preference_update(
            user=person(request),
            kind=each.kind,
            inbox=inbox if inbox != each.inbox else None,
            mail=mail if mail != each.mail else None,
        )
    return len(changed)


def _boxes(request: HttpRequest, each: Preference) -> tuple[bool, bool]:
    return f"{each.kind.name}.inbox" in request.POST, f"{each.kind.name}.mail" in request.POST


def _mail_off(request: HttpRequest) -> str:
    """Why no mail comes, whatever is chosen; empty where it does."""
    if not mail_configured():
        return "This installation sends no mail."
    return "" if person(request).email else "Your account has no e-mail address, so no mail comes."
