"""Telling people something: the inbox's rows, from which other channels are sent."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.models import Notification, User
from accounts.notification_kinds import Channel, kind_named
from accounts.services.notification_channels import channels_off, mail_deliveries_make, webhook_deliveries_make
from accounts.token_scope import unlimited_require


@dataclass(frozen=True, kw_only=True)
class About:
    """What a notification is about. Plain values, because it may outlive that."""

    kind: str
    id: UUID | str
    name: str
    organization_id: UUID | None = None


@transaction.atomic
def notification_send(
    *,
    recipients: Iterable[User],
    kind: str,
    about: About,
    text: str,
    now: datetime,
    link: str = "",
    command: str = "",
) -> list[Notification]:
    """Adds one row for each active person among `recipients`, in the caller's transaction; each person once.

    `text` is sentences without a secret; `link` a path of Marina's pages, `command` the command for the next step.
    Mail and webhooks follow by what people and organizations have chosen. Raises ValueError for an unknown kind.
    """
    known = kind_named(kind)
    people = {user.pk: user for user in recipients if user.is_active and not user.is_service_account}
    off = channels_off(people.values(), known)
    rows = Notification.objects.bulk_create(
        Notification(
            recipient=user,
            kind=kind,
            subject_kind=about.kind,
            subject_id=str(about.id),
            subject_name=about.name[:120],
            organization_id=about.organization_id,
            text=text,
            link=link,
            command=command,
            created_at=now,
            read_at=now if (user.pk, Channel.INBOX) in off else None,
        )
        for user in people.values()
    )
    mail_deliveries_make([row for row in rows if (row.recipient_id, Channel.MAIL) not in off], now=now)
    webhook_deliveries_make(rows, now=now)
    return rows


def notification_read(*, notification: Notification, read: bool, now: datetime) -> Notification:
    """Marks one's own notification as read, or as new again. The first reading keeps its time."""
    if read != (notification.read_at is not None):
        notification.read_at = now if read else None
        notification.save(update_fields=["read_at"])
    return notification


def notifications_read(*, user: User, now: datetime) -> int:
    """Marks everything in the inbox as read; says how many were not."""
    unlimited_require(user, "read an inbox")
    return Notification.objects.filter(recipient=user, read_at=None).update(read_at=now)


def notifications_remove(*, now: datetime) -> int:
    """Forgets what is older than NOTIFICATION_DAYS; says how many rows went. Run by a schedule."""
    old = Notification.objects.filter(created_at__lt=now - timedelta(days=settings.NOTIFICATION_DAYS))
    removed, _ = old.delete()
    return removed
