"""What people want to be told, and how."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from accounts.models import NotificationPreference, User
from accounts.notification_kinds import NOTIFICATION_KINDS, Channel, NotificationKind
from accounts.token_scope import unlimited_require


@dataclass(frozen=True)
class Preference:
    """How one kind reaches one person: by their choice, else as the kind has it."""

    kind: NotificationKind
    inbox: bool
    mail: bool


def preferences_of(user: User) -> list[Preference]:
    """Of every kind there is, in the order of the table. Like the inbox, not for limited tokens."""
    unlimited_require(user, "read how notifications come")
    chosen = {(row.kind, row.channel): row.enabled for row in NotificationPreference.objects.filter(user=user)}
    return [_preference(kind, chosen) for kind in NOTIFICATION_KINDS.values()]


def _preference(kind: NotificationKind, chosen: Mapping[tuple[str, str], bool]) -> Preference:
    inbox, mail = (
        chosen.get((kind.name, channel), channel in kind.channels) for channel in (Channel.INBOX, Channel.MAIL)
    )
    return Preference(kind, inbox=inbox, mail=mail)


@transaction.atomic
def preference_update(
    *, user: User, kind: NotificationKind, inbox: bool | None = None, mail: bool | None = None
) -> Preference:
    """Keeps what is given as this person's choice for the kind; None leaves a channel as it is."""
    unlimited_require(user, "choose how notifications come")
    for channel, enabled in ((Channel.INBOX, inbox), (Channel.MAIL, mail)):
        if enabled is not None:
            NotificationPreference.objects.update_or_create(
                user=user, kind=kind.name, channel=channel, defaults={"enabled": enabled}
            )
    return next(each for each in preferences_of(user) if each.kind == kind)
