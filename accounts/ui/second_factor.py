"""/account/second-factor: an app for codes, and recovery codes for the day it is lost."""

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from accounts.adapters import SecondFactorAdapter
from accounts.api.actor import actor_of, address_of
from accounts.encryption import text_decrypt, text_encrypt
from accounts.errors import InvalidInput
from accounts.services.second_factors import (
    recovery_codes_left,
    recovery_codes_renew,
    second_factor_has,
    second_factor_remove,
    second_factor_secret_new,
    second_factor_set_up,
)
from accounts.sign_in import code_count
from accounts.ui.answers import person
from accounts.ui.forms import CodeForm, SetUpForm, too_many

_SEED = "second-factor-seed"


@login_required
@require_safe
def second_factor(request: HttpRequest) -> HttpResponse:
    """Whether there is one, and what can be done with it."""
    row = Authenticator.objects.filter(user=person(request), type=Authenticator.Type.TOTP).first()
    context = {"factor": row, "codes_left": recovery_codes_left(person(request)) if row else 0}
    return render(request, "marina/second_factor.html", context)


@login_required
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def set_up(request: HttpRequest) -> HttpResponse:
    """Shows a new seed as QR code and as text; a code of it makes it the second factor."""
    if second_factor_has(person(request)):
        return redirect("mfa_index")
    secret = _seed(request)
    form = SetUpForm(request, request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid() and (codes := _set_up(request, form, secret)):
        del request.session[_SEED]
        return render(request, "marina/recovery_codes.html", {"codes": codes, "new": True})
    adapter = SecondFactorAdapter()
    address = adapter.build_totp_url(person(request), secret)
    grouped = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    context = {"form": form, "svg": _svg(adapter.build_totp_svg(address)), "secret": grouped, "address": address}
    return render(request, "marina/second_factor_set_up.html", context)


def _seed(request: HttpRequest) -> str:
    """The seed that is being set up: the same until it is, so that a reload does not make the app's entry useless."""
    kept = request.session.get(_SEED)
    if kept is None:
        kept = request.session[_SEED] = text_encrypt(second_factor_secret_new())
    return text_decrypt(kept)


def _set_up(request: HttpRequest, form: SetUpForm, secret: str) -> list[str]:
    user = person(request)
    if wait := code_count(handle=user.handle, address=address_of(request)):
        form.add_error("code", too_many(wait))
        return []
    code = form.cleaned_data["code"]
    try:
        return second_factor_set_up(actor=actor_of(request), user=user, secret=secret, code=code, now=timezone.now())
    except InvalidInput as error:
        form.errors_take(error)
        return []


@login_required
@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest) -> HttpResponse:
    """Takes the second factor away, proved by a code of it."""
    if not second_factor_has(person(request)):
        return redirect("mfa_index")
    form = CodeForm(request, person(request), request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        second_factor_remove(actor=actor_of(request), user=person(request), now=timezone.now())
        messages.success(request, "You have no second factor any more.")
        return redirect("mfa_index")
    return render(request, "marina/second_factor_remove.html", {"form": form})


@login_required
@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """New recovery codes, shown once, proved by a code."""
    if not second_factor_has(person(request)):
        return redirect("mfa_index")
    form = CodeForm(request, person(request), request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        codes = recovery_codes_renew(actor=actor_of(request), user=person(request), now=timezone.now())
        return render(request, "marina/recovery_codes.html", {"codes": codes, "new": False})
    return render(request, "marina/recovery_codes_renew.html", {"form": form})


def _svg(document: str) -> SafeString:
    """The drawing as part of a page. Marina's own library made it; nothing a person typed is in its markup."""
    return mark_safe(document[document.index("<svg") :])  # noqa: S308
