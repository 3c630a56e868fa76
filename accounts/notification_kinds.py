"""What people can be told: the kinds of notifications, as data. Preferences, mail and webhooks follow from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Channel(StrEnum):
    """The ways a notification takes to a person. An inbox that is switched off keeps it, as read."""

    INBOX = "inbox"
    MAIL = "mail"


@dataclass(frozen=True)
class NotificationKind:
    """One kind: its name, what its mails are called, what it tells, and how it reaches who has chosen nothing."""

    name: str
    title: str
    tells: str
    channels: frozenset[Channel]


_BOTH: Final = frozenset(Channel)
_INBOX: Final = frozenset({Channel.INBOX})

_ALL: Final = (
    NotificationKind(
        "cluster-inherited", "A cluster is yours now", "A virtual cluster became yours: its owner left.", _BOTH
    ),
    NotificationKind("owner-changed", "An owner changed", "A virtual cluster of yours got another owner.", _BOTH),
    NotificationKind(
        "created-by-ci", "Created by a service account", "A service account created a virtual cluster for you.", _INBOX
    ),
    NotificationKind("join-request", "Somebody asks to join", "Somebody asks to join what you are admin of.", _BOTH),
    NotificationKind("join-decided", "Your request was decided", "Your request to join was decided.", _BOTH),
    NotificationKind(
        "invitation-accepted", "An invitation was accepted", "Somebody you invited accepted the invitation.", _INBOX
    ),
    NotificationKind(
        "break-glass", "Emergency access was taken", "Platform staff took emergency access to your organization.", _BOTH
    ),
    NotificationKind(
        "staff-joined", "Platform staff joined", "Platform staff gave themselves a role in your organization.", _BOTH
    ),
    NotificationKind(
        "cleanup-warning", "A cluster is to be deleted", "A virtual cluster of yours is to be deleted.", _BOTH
    ),
    NotificationKind(
        "cleanup-deleted", "A cluster was cleaned up", "The cleanup deletes a virtual cluster of yours.", _BOTH
    ),
    NotificationKind(
        "put-to-sleep", "A cluster was put to sleep", "An unused virtual cluster of yours was put to sleep.", _INBOX
    ),
    NotificationKind(
        "sleep-refused",
        "A cluster did not fall asleep",
        "A virtual cluster of yours could not be put to sleep.",
        _INBOX,
    ),
    NotificationKind(
        "support-ending",
        "Support ends",
        "The Kubernetes version of a virtual cluster of yours loses its support.",
        _BOTH,
    ),
    NotificationKind(
        "upgrade-begun", "A cluster is being upgraded", "Marina upgrades a virtual cluster of yours by itself.", _INBOX
    ),
    NotificationKind(
        "upgrade-blocked",
        "A cluster was not upgraded",
        "Marina could not upgrade a virtual cluster of yours by itself.",
        _BOTH,
    ),
    NotificationKind(
        "rollout-halted", "A rollout was halted", "A rollout of yours was halted: too much of it failed.", _BOTH
    ),
    NotificationKind(
        "rollout-paused", "A rollout waits", "A wave of a rollout of yours is done, and it waits to be resumed.", _BOTH
    ),
    NotificationKind("rollout-ended", "A rollout has ended", "A rollout of yours has ended.", _INBOX),
    NotificationKind(
        "cluster-moved", "A cluster was moved", "A virtual cluster that you own or use runs on another host now.", _BOTH
    ),
    NotificationKind(
        "cluster-lost", "The host of a cluster was lost", "The host of a virtual cluster of yours was lost.", _BOTH
    ),
    NotificationKind(
        "cluster-recovered",
        "What became of a lost cluster",
        "A virtual cluster that you own or use was lost with its host: it was made again, or could not be.",
        _BOTH,
    ),
    NotificationKind("operation-failed", "An operation failed", "An operation that you asked for failed.", _BOTH),
    NotificationKind(
        "host-unreachable", "A host does not answer", "A host cluster that you look after does not answer.", _BOTH
    ),
    NotificationKind(
        "credential-expiring", "A credential ends soon", "A host's credential ends soon and renews no more.", _BOTH
    ),
    NotificationKind(
        "webhook-disabled", "A webhook was switched off", "A webhook was switched off, because it kept failing.", _BOTH
    ),
    NotificationKind(
        "group-sync-kept-admin",
        "A group's last admin was kept",
        "Group mapping would have taken an organization's last admin, and kept them.",
        _BOTH,
    ),
    NotificationKind("password", "Your password was set", "Platform staff set a new password for your account.", _BOTH),
    NotificationKind(
        "second-factor", "Your second factor changed", "Your second factor or recovery codes changed.", _BOTH
    ),
)

NOTIFICATION_KINDS: Final[Mapping[str, NotificationKind]] = {kind.name: kind for kind in _ALL}


def kind_named(name: str) -> NotificationKind:
    """The kind of this name. Raises ValueError for one that is not in the table: a defect of the caller."""
    if name not in NOTIFICATION_KINDS:
        raise ValueError(f"{name!r} is no kind of notification; accounts/notification_kinds.py lists them")
    return NOTIFICATION_KINDS[name]
