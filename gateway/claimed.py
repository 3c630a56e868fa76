"""Whom a request asks to act as (`kubectl --as`): what is written down of it, and how much of it may be claimed."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from gateway.answers import Refused
from gateway.exchange import Headers
from gateway.heads import Head

USER: Final = b"impersonate-user"
UID: Final = b"impersonate-uid"
GROUP: Final = b"impersonate-group"
EXTRA: Final = b"impersonate-extra-"
IMPERSONATE: Final = b"impersonate-"

LONGEST_NAME: Final = 253
"""Characters of a user, uid, group or extra's key. Kubernetes' own names are no longer."""
MOST_CLAIMS: Final = 100
"""Each is a question to the API server, and all of them are written down."""
LONGEST_CLAIMS: Final = 8 * 1024
"""Bytes of all of them together."""


@dataclass(frozen=True)
class Claimed:
    """An identity that was asked for. Of extras only the keys: their values are whatever an identity provider puts

    there, and that may be a session or a token of the person; user, uid and groups are names by what they are for.
    """

    user: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()


def claims_of(head: Head) -> Headers:
    """The header fields that say whom the request acts as."""
    return [field for field in head.headers if field[0].startswith(IMPERSONATE)]


def claimed(head: Head) -> Claimed | None:
    """Whom the request asks to act as; None where it does not."""
    fields = claims_of(head)
    if not fields:
        return None
    return Claimed(
        user=next((_text(value) for name, value in fields if name == USER), ""),
        uid=next((_text(value) for name, value in fields if name == UID), ""),
        groups=tuple(_text(value) for name, value in fields if name == GROUP),
        extras=tuple(sorted({extra_key(name) for name, _ in fields if name.startswith(EXTRA)})),
    )


def extra_key(name: bytes) -> str:
    """The key that a header of an extra names."""
    return _text(unquote_to_bytes(name.removeprefix(EXTRA)))


def claims_fit(head: Head) -> None:
    """Refused where there is more than can be asked about and written down as a whole."""
    fields, who = claims_of(head), claimed(head) or Claimed()
    size = sum(len(name) + len(value) for name, value in fields)
    if len(fields) > MOST_CLAIMS or size > LONGEST_CLAIMS:
        told = f"To act as somebody else takes at most {MOST_CLAIMS} names, of {LONGEST_CLAIMS // 1024} KiB together."
        raise Refused(400, told, why="impersonation")
    if any(len(name) > LONGEST_NAME for name in (who.user, who.uid, *who.groups, *who.extras)):
        raise Refused(400, f"A name to act as has at most {LONGEST_NAME} characters.", why="impersonation")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
