"""Events for webhooks out of notifications: one for all who were told the same at once."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from accounts.models import DeliveryState, Notification, NotificationDelivery
from accounts.notification_links import object_page
from accounts.services.webhook_events import Event, webhook_deliveries_add, webhooks_wanting

BATCH: Final = 200


@transaction.atomic
def notification_events_publish(*, now: datetime) -> int:
    """Makes events of what is to be told; says how many. Run by a schedule; two at once share the work."""
    due = NotificationDelivery.objects.filter(
        channel=NotificationDelivery.By.WEBHOOK, state=DeliveryState.PENDING, next_attempt_at__lte=now
    )
    # the row of the first who was told stands for all
    firsts = due.filter(event=F("notification_id")).order_by("next_attempt_at", "id")
    locked = firsts.select_for_update(of=("self",), skip_locked=True).values_list("notification_id", flat=True)
    told = _told_with(set(locked[:BATCH]))
    for rows in told.values():
        _publish(rows, now)
    return len(told)


def _told_with(events: set[UUID]) -> dict[UUID, list[Notification]]:
    """The notifications that each of these events is about, the first who was told first."""
    found: defaultdict[UUID, list[Notification]] = defaultdict(list)
    rows = NotificationDelivery.objects.filter(event__in=events).select_related("notification__recipient")
    for row in rows.order_by("notification_id"):
        if row.event:
            found[row.event].append(row.notification)
    return found


def _publish(rows: Sequence[Notification], now: datetime) -> None:
    first, deliveries = rows[0], NotificationDelivery.objects.filter(event=rows[0].pk)
    if first.organization_id is None:
        return
    webhooks = webhooks_wanting(f"notification.{first.kind}", first.organization_id, _in_reach(first))
    webhook_deliveries_add([(webhook, _event(rows)) for webhook in webhooks], now=now)
    state = DeliveryState.PENDING if webhooks else DeliveryState.SKIPPED
    deliveries.update(next_attempt_at=None, state=state)


def _in_reach(row: Notification) -> Q:
    """Webhooks of the whole organization, and those of the project that it is about or that holds what it is about."""
    held_by = {
        "project": "project",
        "virtual-cluster": "project__virtual_clusters",
        "operation": "project__operations",
        "service-account": "project__service_accounts",
        "webhook": "project__webhooks",
    }
    path = held_by.get(row.subject_kind)
    try:
        key = UUID(row.subject_id)
    except ValueError:
        return Q(project=None)
    return Q(project=None) | Q(**{path: key}) if path else Q(project=None)


def _event(rows: Sequence[Notification]) -> Event:
    first = rows[0]
    page = object_page(first)
    return Event(
        type=f"notification.{first.kind}",
        source=str(first.pk),
        at=first.created_at,
        organization_id=first.organization_id,
        data={
            "kind": first.kind,
            "text": first.text,
            "subject": {"kind": first.subject_kind, "id": first.subject_id, "name": first.subject_name},
            "recipients": [{"id": str(row.recipient_id), "handle": row.recipient.handle} for row in rows],
            "link": f"{settings.PUBLIC_URL.rstrip('/')}{page}" if page else "",
            "command": first.command,
        },
    )


def notification_event_taken(*, source: str, now: datetime) -> None:
    """Notes that a webhook took the event that was made of the notification with this id."""
    NotificationDelivery.objects.filter(event=source, sent_at=None).update(state=DeliveryState.SENT, sent_at=now)
