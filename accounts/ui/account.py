"""/account: name, password, and the issuers by whom the person may sign in."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts.api.actor import actor_of
from accounts.errors import InvalidInput, MarinaError
from accounts.oidc.identities import identities_of, identity_disconnect
from accounts.oidc.issuers import issuer_of, issuers
from accounts.selectors import places_of
from accounts.services.own_account import own_name_set, own_password_set, session_moved
from accounts.ui.answers import person
from accounts.ui.forms import CurrentPasswordForm, NameForm, PasswordForm


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """Shows it; POST changes the name."""
    form = NameForm(request.POST if request.method == "POST" else None, initial={"name": person(request).name})
    if form.is_bound and form.is_valid():
        try:
            own_name_set(actor=actor_of(request), user=person(request), name=form.cleaned_data["name"])
        except InvalidInput as error:
            form.errors_take(error)
        else:
            messages.success(request, "Your name was changed.")
            return redirect("account")
    return _page(request, name_form=form)


@login_required
@sensitive_post_parameters()
@require_POST
def password(request: HttpRequest) -> HttpResponse:
    """Changes it. This session goes on, the others end."""
    form = PasswordForm(request, request.POST)
    if form.is_valid() and person(request).has_usable_password():
        current, new = form.cleaned_data["current"], form.cleaned_data["new"]
        try:
            own_password_set(actor=actor_of(request), user=person(request), current=current, new=new)
        except InvalidInput as error:
            form.errors_take(error)
        else:
            before = request.session.session_key
            update_session_auth_hash(request, person(request))
            session_moved(before=before, after=request.session.session_key)
            messages.success(request, "Your password was changed. Your other sessions have ended.")
            return redirect("account")
    return _page(request, password_form=form)


@login_required
@require_POST
def disconnect(request: HttpRequest, key: int) -> HttpResponse:
    """Takes one issuer away from the ways to sign in."""
    try:
        identity_disconnect(actor=actor_of(request), user=person(request), key=key)
    except MarinaError as error:
        messages.error(request, f"{error} {error.hint}")
    else:
        messages.success(request, "You cannot sign in by that any more.")
    return redirect("account")


def _page(request: HttpRequest, **forms: Any) -> HttpResponse:
    user = person(request)
    identities = [(row, issuer_of(row.provider)) for row in identities_of(user)]
    known = {row.provider for row, _ in identities}
    offered = [each for each in issuers() if each.id not in known]
    context = {
        "name_form": NameForm(initial={"name": user.name}),
        "password_form": PasswordForm(request),
        "connect_form": CurrentPasswordForm(request, auto_id="id_connect_%s"),
        "identities": identities,
        "offered": offered,
        "places": places_of(user, now=timezone.now()),
        **forms,
    }
    page = render(request, "marina/account.html", context)
    page.sends_on = bool(offered)  # type: ignore[attr-defined]
    return page
