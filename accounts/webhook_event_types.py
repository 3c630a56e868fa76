"""What webhooks can be told of: the types of events, as data. The groups and docs/webhooks.md follow from it."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

from accounts.notification_kinds import NOTIFICATION_KINDS

PING: Final = "webhook.ping"
EVERYTHING: Final = "*"

_TYPES: Final[Mapping[str, str]] = {
    "virtual-cluster.created": "A virtual cluster was asked for, or adopted.",
    "virtual-cluster.ready": "It is up for the first time, or was adopted.",
    "virtual-cluster.changed": "Something of it was changed, and is in effect.",
    "virtual-cluster.deleted": "Nothing of it is left.",
    "virtual-cluster.asleep": "It fell asleep.",
    "virtual-cluster.upgraded": "It has other versions of Kubernetes or of its chart.",
    "virtual-cluster.awake": "It is awake again, and its API answers.",
    "virtual-cluster.exported": "An export of it that was asked for, or scheduled, is complete.",
    "virtual-cluster.restored": "What an export holds was made again in it; the operation lists what was not.",
    "virtual-cluster.moved": "It runs on another host cluster now.",
    "virtual-cluster.recovered": "Its host was lost, and it was made again on another one from its last export.",
    "virtual-cluster.failed": "Something that was to be done to it could not be done; the operation says what and why.",
    "virtual-cluster.transferred": "It belongs to another owner or project.",
    "operation.succeeded": "An operation ended, and all was done.",
    "operation.failed": "An operation ended with an error.",
    "operation.aborted": "An operation was ended by somebody, or by a later one.",
    "host-cluster.connected": "A host cluster of the organization was connected, or got a new credential from outside.",
    "host-cluster.failed": "It could not be connected, or its credential not be renewed.",
    "host-cluster.renewed": "Its credential was renewed by Marina itself.",
    "host-cluster.lost": "Somebody said that it is lost; what was on it is made again elsewhere.",
    "host-cluster.found": "It was lost, and counts as lost no more.",
    "host-cluster.changed": "Its settings were changed.",
    "host-cluster.disconnected": "It was disconnected.",
    "rollout.created": "A rollout over several virtual clusters was made; it begins by itself.",
    "rollout.changed": "Somebody paused, resumed or aborted it, or had what failed tried again.",
    "rollout.halted": "More of its clusters failed than may; it begins nothing until somebody decides.",
    "rollout.ended": "It has ended; the details count its clusters by result.",
    "role.given": "A role was given.",
    "role.changed": "A role ends at another time.",
    "role.taken": "A role was taken, given up, or ended by its time.",
    "role.defined": "An organization defined a role of its own, or changed what it allows.",
    "role.undefined": "It was deleted.",
    "invitation.created": "Somebody was invited.",
    "invitation.accepted": "An invitation was accepted.",
    "invitation.revoked": "An invitation was taken back.",
    "break-glass.begun": "Platform staff took emergency access to a virtual cluster.",
    "break-glass.ended": "Emergency access was ended before its time.",
    "service-account.created": "A service account was made.",
    "service-account.changed": "Something of it was changed.",
    "service-account.deleted": "It was deleted, with its tokens and roles.",
    "federation-rule.created": "A service account takes tokens of another issuer from now on.",
    "federation-rule.changed": "Which of them it takes was changed.",
    "federation-rule.deleted": "It takes them no more.",
    PING: "Somebody tries the webhook. It comes to every webhook, whatever it subscribes to.",
}

EVENT_TYPES: Final[Mapping[str, str]] = {
    **_TYPES,
    **{f"notification.{kind.name}": f"People were told: {kind.tells}" for kind in NOTIFICATION_KINDS.values()},
}
"""Each type with a sentence."""

EVENT_GROUPS: Final = tuple(dict.fromkeys(f"{name.partition('.')[0]}.*" for name in EVENT_TYPES if name != PING))


def event_wanted(patterns: Iterable[str], event_type: str) -> bool:
    """Whether one of these (types, groups, *) stands for the type."""
    group = f"{event_type.partition('.')[0]}.*"
    return event_type == PING or any(pattern in (EVERYTHING, group, event_type) for pattern in patterns)


def pattern_known(pattern: str) -> bool:
    """Whether it is a type, a group, or *."""
    return pattern == EVERYTHING or pattern in EVENT_GROUPS or (pattern in EVENT_TYPES and pattern != PING)


def pattern_suggested(pattern: str) -> str:
    """What may have been meant; else how to say what."""
    near = get_close_matches(pattern, [*EVENT_TYPES, *EVENT_GROUPS], n=1)
    return f"perhaps {near[0]}" if near else f"{EVERYTHING}, one of {', '.join(EVENT_GROUPS)}, or a single event type"
