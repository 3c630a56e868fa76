"""As whom the API server sees somebody, and what a client may not say about itself."""

from typing import Final
from urllib.parse import quote

from clusters.services.gateway_access import Caller
from gateway.answers import Refused
from gateway.claimed import IMPERSONATE, claims_of
from gateway.exchange import Headers
from gateway.heads import Head

_CLAIMS: Final = (b"x-remote-", b"x-forwarded-", b"x-client-")
NEVER_USERS: Final = frozenset((b"kubernetes-super-admin", b"system:admin"))
NEVER_GROUPS: Final = frozenset((b"system:masters",))
EXTRA_HANDLE: Final = "marina.dev/handle"
EXTRA_NAME: Final = "marina.dev/name"


def username(caller: Caller) -> str:
    """Stable for ever: made of the id, which is never given to anybody else."""
    return f"marina:user:{caller.user_id}"


def groups(caller: Caller) -> list[str]:
    """The level, which Marina's bindings inside are for, and the teams, which the tenant may bind."""
    return [f"marina:level:{caller.level}", *(f"marina:team:{team}" for team in sorted(caller.team_ids, key=str))]


def impersonation(caller: Caller) -> Headers:
    """The header fields that say who asks."""
    fields = [(b"impersonate-user", username(caller).encode())]
    fields += [(b"impersonate-group", group.encode()) for group in groups(caller)]
    extras = ((EXTRA_HANDLE, caller.handle), (EXTRA_NAME, caller.name))
    return fields + [
        (b"impersonate-extra-" + quote(key, safe="").lower().encode(), _value(value)) for key, value in extras if value
    ]


def _value(text: str) -> bytes:
    return "".join(character for character in text if character.isprintable()).strip().encode()


def claims_check(head: Head, caller: Caller) -> bool:
    """Whether the client asks to act as somebody else (`kubectl --as`). Refused where it claims to be somebody."""
    names = {name for name, _ in head.headers}
    if claimed := sorted(name for name in names if name.startswith(b"x-remote-")):
        raise Refused(
            403,
            f"The header {claimed[0].decode('latin-1')} says who you are, and only Marina does that.",
            why="identity-header",
        )
    if not claims_of(head):
        return False
    if caller.level != "admin":
        raise Refused(
            403,
            f"To act as somebody else (--as) takes level admin in {caller.cluster_name}; yours is {caller.level}.",
            why="impersonation",
        )
    return True


def passed_on(head: Head) -> list[tuple[bytes, bytes]]:
    """The client's own header fields that the API server gets: none that says who, from where or over what."""
    kept = (field for field in head.headers if not field[0].startswith((*_CLAIMS, IMPERSONATE)))
    return list(kept)
