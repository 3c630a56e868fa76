"""Which channels a notification takes besides the inbox: by what people chose, and by what webhooks subscribe to."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings

from accounts.models import Notification, NotificationDelivery, NotificationPreference, User, Webhook
from accounts.notification_kinds import Channel, NotificationKind
from accounts.webhook_event_types import event_wanted


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
    """Where a webhook of the organization may want it: notes that it is to be told, once for all of these rows.

    They differ by their recipients only. A job makes the event, so that nothing that becomes of a webhook meanwhile
    disturbs the transaction in which people are told.
    """
    if rows and _wanted(rows[0]):
        webhook_rows_make([rows], now=now)


def webhook_rows_make(told: Iterable[Sequence[Notification]], *, now: datetime) -> None:
    """As above for several messages, each with its rows, where it is known that a webhook may want them."""
    NotificationDelivery.objects.bulk_create(
        NotificationDelivery(
            notification=row, channel=NotificationDelivery.By.WEBHOOK, event=rows[0].pk, next_attempt_at=now
        )
        for rows in told
        for row in rows
    )


def _wanted(row: Notification) -> bool:
    if row.organization_id is None:
        return False
    subscribed = Webhook.objects.filter(organization=row.organization_id, enabled=True).values_list("events", flat=True)
    return any(event_wanted(events, f"notification.{row.kind}") for events in subscribed)
