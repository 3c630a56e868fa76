"""Which channels a notification takes besides the inbox: by what people chose, and by what webhooks subscribe to."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from accounts.models import DeliveryState, Notification, NotificationDelivery, NotificationPreference, User
from accounts.notification_kinds import Channel, NotificationKind
from accounts.services.webhook_events import Event, webhook_deliveries_add, webhooks_wanting


def channels_off(people: Iterable[User], kind: NotificationKind) -> set[tuple[UUID, Channel]]:
    """Whom of them not to tell by which channel: what they chose, else what the kind says."""
    users = list(people)
    wanted = {(user.pk, channel): channel in kind.channels for user in users for channel in Channel}
    for row in NotificationPreference.objects.filter(user__in=users, kind=kind.name):
        wanted[row.user_id, Channel(row.channel)] = row.enabled
    return {key for key, on in wanted.items() if not on}


def mail_configured() -> bool:
    """Whether there is a server that takes mail."""
    return bool(settings.EMAIL_HOST)


def mail_deliveries_make(rows: Sequence[Notification], *, now: datetime) -> None:
    """Mail for those who have an address, where there is a server."""
    if mail_configured():
        NotificationDelivery.objects.bulk_create(
            NotificationDelivery(notification=row, channel=NotificationDelivery.By.MAIL, next_attempt_at=now)
            for row in rows
            if row.recipient.email
        )


def webhook_deliveries_make(rows: Sequence[Notification], *, now: datetime) -> None:
    """One event for all of these rows (they differ by their recipients only), for each webhook that wants it."""
    if not rows or rows[0].organization_id is None:
        return
    first, event_type = rows[0], f"notification.{rows[0].kind}"
    webhooks = webhooks_wanting(event_type, rows[0].organization_id, _in_reach(first))
    if not webhooks:
        return
    event = _event(rows, now)
    webhook_deliveries_add([(webhook, event) for webhook in webhooks], now=now)
    NotificationDelivery.objects.bulk_create(
        NotificationDelivery(notification=row, channel=NotificationDelivery.By.WEBHOOK, event=first.pk) for row in rows
    )


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


def _event(rows: Sequence[Notification], now: datetime) -> Event:
    first = rows[0]
    link = f"{settings.PUBLIC_URL.rstrip('/')}{first.link}" if first.link else ""
    return Event(
        type=f"notification.{first.kind}",
        source=str(first.pk),
        at=now,
        organization_id=first.organization_id,
        data={
            "kind": first.kind,
            "text": first.text,
            "subject": {"kind": first.subject_kind, "id": first.subject_id, "name": first.subject_name},
            "recipients": [{"id": str(row.recipient_id), "handle": row.recipient.handle} for row in rows],
            "link": link,
            "command": first.command,
        },
    )


def webhook_channel_sent(*, source: str, now: datetime) -> None:
    """Notes that a webhook took the event that was made with the notification of this id."""
    NotificationDelivery.objects.filter(event=source, sent_at=None).update(state=DeliveryState.SENT, sent_at=now)
