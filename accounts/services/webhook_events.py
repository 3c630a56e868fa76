"""Events for webhooks: who wants which, and the deliveries that are made of them."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Q

from accounts.models import Webhook, WebhookDelivery
from accounts.webhook_event_types import EVENT_TYPES, event_wanted

_EVENT_IDS: Final = uuid.UUID("0b0e8f0e-6b0f-4a52-9a49-6a2f6f1d3c11")


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened. `source` names the row it came from: of one type and source there is one event.

    `data` holds no secret. An event of a project goes to the organization's webhooks and to the project's own.
    """

    type: str
    source: str
    at: datetime
    organization_id: UUID | None
    project_id: UUID | None = None
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The same for everybody who is told of it, and however often it is derived."""
        return f"msg_{uuid.uuid5(_EVENT_IDS, f'{self.type} {self.source}').hex}"

    @property
    def payload(self) -> dict[str, Any]:
        """What is sent."""
        at = self.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"type": self.type, "timestamp": at, "data": self.data}


def webhooks_wanting(event_type: str, organization_id: UUID, reach: Q) -> list[Webhook]:
    """Those of the organization, within `reach`, that are on and subscribe to the type."""
    found = Webhook.objects.filter(reach, organization=organization_id, enabled=True).distinct()
    return [webhook for webhook in found if event_wanted(webhook.events, event_type)]


def events_publish(events: Sequence[Event], *, now: datetime) -> int:
    """Makes deliveries of the events for whoever wants them; says for how many pairs. Each pair is made once."""
    by_organization: defaultdict[UUID, list[Webhook]] = defaultdict(list)
    organizations = {event.organization_id for event in events if event.organization_id}
    for webhook in Webhook.objects.filter(enabled=True, organization__in=organizations):
        by_organization[webhook.organization_id].append(webhook)
    pairs = [
        (webhook, event)
        for event in events
        if event.organization_id
        for webhook in by_organization[event.organization_id]
        if webhook.project_id in (None, event.project_id) and event_wanted(webhook.events, event.type)
    ]
    webhook_deliveries_add(pairs, now=now)
    return len(pairs)


def webhook_deliveries_add(pairs: Iterable[tuple[Webhook, Event]], *, now: datetime) -> list[WebhookDelivery]:
    """To be sent at once. What is there already (the same event for the same webhook) stays as it is."""
    rows = [
        WebhookDelivery(
            webhook=webhook,
            event_id=event.id,
            type=event.type,
            source=event.source,
            payload=event.payload,
            tried_from=now,
            next_attempt_at=now,
        )
        for webhook, event in pairs
        if event.type in EVENT_TYPES
    ]
    return WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
