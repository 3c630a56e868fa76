"""/webhooks/ID: one webhook with what it was told, and sending it once more."""

import json
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.access import UNSEEN
from accounts.api.actor import actor_of
from accounts.errors import NotFound
from accounts.models import WebhookDelivery, WebhookDeliveryState
from accounts.selectors_notices import webhook_deliveries_visible_to
from accounts.services.webhooks import webhook_ping, webhook_redeliver
from accounts.ui.answers import next_of, person
from accounts.ui.chips import Chip
from accounts.ui.paging import filtered, paged
from accounts.ui.refusals import refusals_shown
from accounts.ui.webhooks import name_of, webhook_of


@login_required
@require_safe
@refusals_shown
def webhook(request: HttpRequest, key: UUID) -> HttpResponse:
    """What it is, and its deliveries, newest first; `?state=` leaves out the rest."""
    row, state = webhook_of(request, key), request.GET.get("state", "")
    deliveries = webhook_deliveries_visible_to(person(request), key).order_by("-id").defer("payload")
    if state in WebhookDeliveryState.values:
        deliveries = deliveries.filter(state=state)
    states = [Chip("All", filtered(request, state=""), state not in WebhookDeliveryState.values)]
    states += [
        Chip(str(each.label), filtered(request, state=each.value), each.value == state) for each in WebhookDeliveryState
    ]
    context = {
        "row": row,
        "name": name_of(row),
        "list": paged(request, deliveries),
        "states": states,
        "two_secrets": row.previous_until is not None and row.previous_until > timezone.now(),
    }
    return render(request, "marina/webhook.html", context)


@login_required
@require_POST
@refusals_shown
def webhook_try(request: HttpRequest, key: UUID) -> HttpResponse:
    """Sends it an event that says nothing, and leads to what comes of it."""
    made = webhook_ping(actor=actor_of(request), webhook=webhook_of(request, key), now=timezone.now())
    return redirect("webhook_delivery", key, made.pk)


@login_required
@require_safe
@refusals_shown
def webhook_delivery(request: HttpRequest, key: UUID, delivery: UUID) -> HttpResponse:
    """One event: what is sent, and what came of the newest attempt."""
    found = _delivery(request, key, delivery)
    payload = json.dumps(
        {name: found.payload.get(name) for name in ("type", "timestamp", "data")}, indent=2, ensure_ascii=False
    )
    context = {"row": found.webhook, "name": name_of(found.webhook), "delivery": found, "payload": payload}
    return render(request, "marina/webhook_delivery.html", context)


@login_required
@require_POST
@refusals_shown
def webhook_send_again(request: HttpRequest, key: UUID, delivery: UUID) -> HttpResponse:
    """Sends one once more, under the same id."""
    found = _delivery(request, key, delivery)
    webhook_redeliver(actor=actor_of(request), delivery=found, now=timezone.now())
    messages.success(request, f"{found.type} is sent once more.")
    return redirect(next_of(request)) if next_of(request) else redirect("webhook", key)


def _delivery(request: HttpRequest, webhook: UUID, key: UUID) -> WebhookDelivery:
    found = webhook_deliveries_visible_to(person(request), webhook).filter(pk=key).first()
    if found is None:
        raise NotFound(UNSEEN)
    return found
