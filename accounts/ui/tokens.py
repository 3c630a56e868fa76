"""/account/tokens: the person's access tokens."""

from typing import cast
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms import TypedChoiceField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from accounts.api.actor import actor_of
from accounts.errors import InvalidInput
from accounts.selectors import access_tokens_of
from accounts.services.tokens import TokenMade, token_create, token_revoke
from accounts.ui.answers import person
from accounts.ui.forms import DAYS, TokenForm


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """The list; POST makes one, whose text stands in that one answer and nowhere else."""
    form, made = _form(request), None
    if form.is_bound and form.is_valid():
        made = _made(request, form)
        form = form if made is None else _form(request, fresh=True)
    now = timezone.now()
    found = list(access_tokens_of(person(request)))
    context = {"form": form, "made": made, "tokens": [(each, each.expires_at <= now) for each in found]}
    return render(request, "marina/tokens.html", context)


def _form(request: HttpRequest, *, fresh: bool = False) -> TokenForm:
    form = TokenForm(request.POST if request.method == "POST" and not fresh else None)
    most = settings.ACCESS_TOKEN_MAXIMUM_SECONDS // 86400
    days = cast(TypedChoiceField, form.fields["days"])
    days.choices = [(count, f"{count} days") for count in DAYS if count <= most] or [(most, f"{most} days")]
    return form


def _made(request: HttpRequest, form: TokenForm) -> TokenMade | None:
    cleaned = form.cleaned_data
    try:
        return token_create(
            actor=actor_of(request),
            user=person(request),
            name=cleaned["name"],
            expires_in=cleaned["days"] * 86400,
            now=timezone.now(),
        )
    except InvalidInput as error:
        form.errors_take(error)
        return None


@login_required
@require_POST
def token_end(request: HttpRequest, key: UUID) -> HttpResponse:
    """Revokes one at once."""
    token = access_tokens_of(person(request)).filter(pk=key).select_related("user").first()
    if token is not None:
        token_revoke(actor=actor_of(request), token=token, now=timezone.now())
        messages.success(request, f"The token {token.name} is revoked.")
    return redirect("tokens")
