"""Webhooks and events as rows, and a round of deliveries at a given time."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from django.utils import timezone

from accounts.models import Organization, Webhook, WebhookDelivery
from accounts.models.base import new_id
from accounts.services.webhook_delivering import Sending, webhook_serve, webhooks_claim
from accounts.services.webhook_events import Event, events_publish
from accounts.services.webhooks import WebhookMade, webhook_create
from accounts.webhook_transport import Transport
from tests.accounts.conftest import MARINA
from tests.canaries import canary


def webhook_for(organization: Organization, url: str, **fields: Any) -> WebhookMade:
    """A webhook for everything unless `events` say otherwise."""
    given = {"events": ["*"], **fields}
    made = webhook_create(actor=MARINA, organization=organization, url=url, **given)
    canary(made.secret, "the secret of a webhook")
    return made


def happened(organization: Organization, number: int = 1, event_type: str = "role.given", **fields: Any) -> str:
    """An event of the organization; its id."""
    now = timezone.now()
    event = Event(
        type=event_type,
        source=str(new_id()),
        at=now,
        organization_id=organization.pk,
        data={"number": number},
        **fields,
    )
    events_publish([event], now=now)
    return event.id


def deliver(*, at: datetime | None = None, transport: Transport | None = None, limit: int = 20) -> int:
    """One round in this thread, as if it were `at`; how many were tried."""
    clock = (lambda: at) if at else timezone.now
    sending = Sending(clock=clock, transport=transport or Transport(), random=Random(1))
    return sum(webhook_serve(webhook=each, sending=sending) for each in webhooks_claim(limit=limit, now=clock()))


def the_delivery(webhook: Webhook) -> WebhookDelivery:
    return WebhookDelivery.objects.get(webhook=webhook)


def in_time(**span: float) -> datetime:
    return datetime.now(UTC) + timedelta(**span)
