"""One request on its way to a cluster that may be moved meanwhile, or was lately."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.utils import timezone

from gateway.client import ClientGone
from gateway.exchange import Exchange, Headers
from gateway.freezing import answer_check, may_be_policys, write_check
from gateway.heads import Head
from gateway.resources import Doing
from gateway.revisions import Asked, Asking, Revisions
from gateway.whereabouts import Whereabouts
from provisioning.drivers.streams.byte_stream import ByteStream

_NOWHERE: Final = UUID(int=0)
_WHOLE_LISTS: Final = frozenset(("get", "list"))


@dataclass(frozen=True)
class Moves:
    """What all requests share. `look` asks the database now where clusters are."""

    look: Callable[[Sequence[Whereabouts]], Awaitable[None]]
    revisions: Revisions


class Passing:
    """Of one request. `who` tells clients apart that have the same User-Agent."""

    def __init__(self, moves: Moves, where: Whereabouts, head: Head, what: Doing, *, name: str, who: str) -> None:
        self._moves = moves
        self._where = where
        self._head = head
        self._what = what
        self._name = name
        self._who = who
        self._sent_to = _NOWHERE
        self._begun = False
        self._json = False
        self._cut = False

    async def before(self, api: Asked) -> None:
        """Refused for what must not be sent now, or not as it is. Called as soon as it is known where it would go."""
        target = self._where.target
        write_check(self._where, self._what, self._name)
        if target is not None:
            self._sent_to = target.placement
            asking = Asking(self._head, self._what, target, self._who)
            await self._moves.revisions.check(asking, api, now=timezone.now())
            self._begun = self._cut = False

    async def answered(self, status: int, fields: Headers) -> None:
        """Refused in place of an answer that does not hold where the cluster is, or will be, afterwards."""
        if may_be_policys(self._where, self._what, status):
            await self._moves.look([self._where])
        answer_check(self._where, self._sent_to, self._what, status, self._name)
        self._begun = status < 300
        self._json = any(name == b"content-type" and value.startswith(b"application/json") for name, value in fields)

    def carried(self, exchange: Exchange) -> AbstractContextManager[None]:
        """Within it the exchange ends as it should when the cluster is elsewhere."""
        return self._where.leaving(self._sent_to, lambda: self._end(exchange))

    def switched(self, stream: ByteStream) -> AbstractContextManager[None]:
        """The same for an upgraded stream, which then simply ends."""
        return self._where.leaving(self._sent_to, stream.close)

    def _end(self, exchange: Exchange) -> None:
        """A watch ends as an API server ends one after its time: whoever watches goes on from there by itself.

        A write that is not answered waits for its answer, and what is being read may end: it was so until now.
        """
        what = self._what
        if self._begun and what.verb == "watch":
            self._cut = True
            exchange.on_end()
        elif not what.writes and not (self._begun and what.verb in _WHOLE_LISTS and not what.subresource):
            exchange.on_failure(ConnectionResetError(f"{self._name} was moved to another host."))

    def ended(self, last: bytes) -> None:
        """ClientGone for a watch that ends in the middle of an event: that must not look like an end."""
        if self._cut and self._json and last[-1:] not in (b"", b"\n"):
            raise ClientGone("It was moved in the middle of an event.")
