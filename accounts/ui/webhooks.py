"""/webhooks: those of the organizations and projects that the person may change."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import UNSEEN
from accounts.api.actor import actor_of
from accounts.errors import Conflict, InvalidInput, NotFound
from accounts.models import Webhook
from accounts.selectors_notices import webhook_place, webhook_places, webhooks_visible_to
from accounts.services.webhooks import (
    WebhookMade,
    host_of,
    webhook_create,
    webhook_delete,
    webhook_secret_rotate,
    webhook_update,
)
from accounts.ui.answers import person
from accounts.ui.chips import Chip
from accounts.ui.paging import filtered, paged
from accounts.ui.refusals import refusals_shown
from accounts.ui.webhook_forms import WebhookForm, WebhookNewForm


@login_required
@require_safe
def webhooks(request: HttpRequest) -> HttpResponse:
    """The list; `?organization=` shows one organization's."""
    rows, chosen = webhooks_visible_to(person(request)), request.GET.get("organization", "").replace("\0", "")
    names = sorted(set(rows.order_by().values_list("organization__name", flat=True)))
    shown = paged(request, rows.filter(organization__name=chosen) if chosen else rows)
    context = {
        "list": shown,
        "webhooks": [{"row": row, "name": name_of(row)} for row in shown.page],
        "organizations": [
            Chip("Every organization", filtered(request, organization=""), not chosen),
            *(Chip(each, filtered(request, organization=each), each == chosen) for each in names),
        ],
        "chosen": chosen,
        "may_make": bool(webhook_places(person(request), limit=1)),
    }
    return render(request, "marina/webhooks.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def webhook_new(request: HttpRequest) -> HttpResponse:
    """A new one, whose secret stands in that one answer and nowhere else."""
    places = webhook_places(person(request), limit=200)
    given = request.GET.get("organization") or (places[0] if len(places) == 1 else "")
    form = WebhookNewForm(request.POST if request.method == "POST" else None, initial={"of": given})
    if form.is_bound and form.is_valid() and (made := _made(request, form)):
        return _secret_shown(request, made, new=True)
    return render(request, "marina/webhook_new.html", {"form": form, "places": places})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@refusals_shown
def webhook_edit(request: HttpRequest, key: UUID) -> HttpResponse:
    """Its address, description and events."""
    row = webhook_of(request, key)
    initial = {"url": row.url, "description": row.description, "events": row.events}
    form = WebhookForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_bound and form.is_valid():
        try:
            webhook_update(actor=actor_of(request), webhook=row, **form.cleaned_data)
        except InvalidInput as error:
            form.errors_take(error)
        else:
            messages.success(request, "The webhook was changed.")
            return redirect("webhook", key)
    return render(request, "marina/webhook_edit.html", {"form": form, "row": row, "name": name_of(row)})


@login_required
@require_POST
@refusals_shown
def webhook_switch(request: HttpRequest, key: UUID) -> HttpResponse:
    """Switches it on (`on=1`) or off."""
    on = request.POST.get("on") == "1"
    webhook_update(actor=actor_of(request), webhook=webhook_of(request, key), enabled=on)
    said = "on. It is told of what happens from now on." if on else "off. What happens meanwhile is not kept for it."
    messages.success(request, f"The webhook is {said}")
    return redirect("webhook", key)


@login_required
@require_POST
@refusals_shown
def webhook_secret(request: HttpRequest, key: UUID) -> HttpResponse:
    """A new secret, shown in this answer only."""
    made = webhook_secret_rotate(actor=actor_of(request), webhook=webhook_of(request, key), now=timezone.now())
    return _secret_shown(request, made, new=False)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@refusals_shown
def webhook_remove(request: HttpRequest, key: UUID) -> HttpResponse:
    """Says what goes with it; POST deletes it."""
    row = webhook_of(request, key)
    if request.method == "POST":
        webhook_delete(actor=actor_of(request), webhook=row)
        messages.success(request, f"The webhook {name_of(row)} was deleted.")
        return redirect("webhooks")
    waiting = row.deliveries.filter(state="Pending").count()
    context = {"row": row, "name": name_of(row), "deliveries": row.deliveries.count(), "waiting": waiting}
    return render(request, "marina/webhook_delete.html", context)


def webhook_of(request: HttpRequest, key: UUID) -> Webhook:
    """The one of this id, for who may change it. Raises NotFound."""
    row = webhooks_visible_to(person(request)).filter(pk=key).first()
    if row is None:
        raise NotFound(UNSEEN)
    return row


def name_of(row: Webhook) -> str:
    """What pages call it."""
    return row.description or host_of(row)


def _made(request: HttpRequest, form: WebhookNewForm) -> WebhookMade | None:
    cleaned: dict[str, Any] = dict(form.cleaned_data)
    place = webhook_place(person(request), cleaned.pop("of").strip())
    if place is None:
        form.add_error("of", "There is no such organization or project, or you may not change it.")
        return None
    organization, project = place
    try:
        return webhook_create(actor=actor_of(request), organization=organization, project=project, **cleaned)
    except InvalidInput as error:
        form.errors_take(error)
    except Conflict as error:
        form.add_error(None, f"{error} {error.hint}")
    return None


def _secret_shown(request: HttpRequest, made: WebhookMade, *, new: bool) -> HttpResponse:
    context = {"row": made.webhook, "name": name_of(made.webhook), "secret": made.secret, "new": new}
    return render(request, "marina/webhook_secret.html", context)
