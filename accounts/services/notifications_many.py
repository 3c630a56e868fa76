"""Telling many people many things at once, with a fixed number of statements."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from uuid import UUID

from django.db import transaction

from accounts.models import Notification, User, Webhook
from accounts.notification_kinds import Channel, kind_named
from accounts.services.notification_channels import channels_off, mail_deliveries_make, webhook_rows_make
from accounts.services.notifications import About
from accounts.webhook_event_types import event_wanted


@dataclass(frozen=True, kw_only=True)
class Message:
    """As `notification_send` takes it: who is told what about which object."""

    recipients: Sequence[User]
    about: About
    text: str
    link: str = ""
    command: str = ""


@transaction.atomic
def notifications_send(*, kind: str, messages: Iterable[Message], now: datetime) -> int:
    """Sends messages of one kind as `notification_send` would one by one; says how many rows it wrote."""
    known, found = kind_named(kind), list(messages)
    people = {user.pk: user for user in chain.from_iterable(each.recipients for each in found) if _reads(user)}
    off = channels_off(people.values(), known)
    told = [(message, _rows(kind, message, off, now)) for message in found]
    rows = Notification.objects.bulk_create(chain.from_iterable(rows for _, rows in told))
    mail_deliveries_make([row for row in rows if (row.recipient_id, Channel.MAIL) not in off], now=now)
    wanted = _organizations_wanting(kind, {message.about.organization_id for message in found} - {None})
    webhook_rows_make([rows for message, rows in told if rows and message.about.organization_id in wanted], now=now)
    return len(rows)


def _reads(user: User) -> bool:
    return user.is_active and not user.is_service_account


def _rows(kind: str, message: Message, off: set[tuple[UUID, Channel]], now: datetime) -> list[Notification]:
    return [
        Notification(
            recipient=user,
            kind=kind,
            subject_kind=message.about.kind,
            subject_id=str(message.about.id),
            subject_name=message.about.name[:120],
            organization_id=message.about.organization_id,
            text=message.text,
            link=message.link,
            command=message.command,
            created_at=now,
            read_at=now if (user.pk, Channel.INBOX) in off else None,
        )
        for user in {user.pk: user for user in message.recipients if _reads(user)}.values()
    ]


def _organizations_wanting(kind: str, organizations: Iterable[UUID | None]) -> set[UUID]:
    subscribed: defaultdict[UUID, list[list[str]]] = defaultdict(list)
    hooks = Webhook.objects.filter(organization__in=organizations, enabled=True)
    for organization, events in hooks.values_list("organization_id", "events"):
        subscribed[organization].append(events)
    return {
        organization
        for organization, each in subscribed.items()
        if any(event_wanted(events, f"notification.{kind}") for events in each)
    }
