"""Telling people something: the inbox's rows, from which other channels are sent."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from accounts.models import Notification, User


@dataclass(frozen=True, kw_only=True)
class About:
    """What a notification is about. Plain values, because it may outlive that."""

    kind: str
    id: UUID | str
    name: str
    organization_id: UUID | None = None


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
    """
    people = {user.pk: user for user in recipients if user.is_active and not user.is_service_account}
    return Notification.objects.bulk_create(
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
        )
        for user in people.values()
    )
