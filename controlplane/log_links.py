"""Keeps the secrets of links out of logs: Django writes the paths of refused requests there."""

import re
from typing import Any, Final

import structlog

# of the length of a secret: ids and `accept`, which follow it in the API, are none
_INVITATION: Final = re.compile(r"(/|%(?:25)*2F)invitations\1[A-Za-z0-9_-]{40,}", re.IGNORECASE)


def redact_links(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Replaces what follows /invitations/ in every text of the event, however it came there."""
    for key, value in event.items():
        if isinstance(value, str) and "nvitations" in value:
            event[key] = _INVITATION.sub(r"\1invitations\1[not logged]", value)
    return event
