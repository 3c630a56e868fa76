"""One request of somebody who was let in: carried to the cluster's API server, and its answer back."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

import structlog
from django.utils import timezone

from accounts.models import RequestAudit
from clusters.services.gateway_access import Caller
from gateway import metrics
from gateway.acting_as import acting_as
from gateway.answers import SAFE, Refused
from gateway.bodies import Measured, body_limit
from gateway.claimed import claimed
from gateway.client import Client, ClientGone
from gateway.doorman import Admission
from gateway.exchange import Exchange, Headers, NotProcessed
from gateway.heads import Head
from gateway.identity import claims_check, impersonation, passed_on
from gateway.passing import Moves, Passing
from gateway.records import Bookkeeper, Holder, Record
from gateway.resources import Doing
from gateway.unreachable import Unreachable
from gateway.upgraded import upgraded
from gateway.upstream import Upstream
from gateway.waking import HOLD_SECONDS, RETRY_AFTER, not_served

log = structlog.get_logger(__name__)

READY_PATIENCE: Final = 4.0
"""Seconds for which a request waits for a cluster that should answer: its pod may just be replaced."""
_AGAIN: Final = 0.25
_DROPPED: Final = frozenset((b"set-cookie", b"connection", b"transfer-encoding", b"keep-alive", b"alt-svc", b"upgrade"))
_SAFE_NAMES: Final = frozenset(name for name, _ in SAFE)


@dataclass(frozen=True)
class Books:
    """What is kept of requests: `polls` tells whether nobody stands behind one, `hold` keeps an open stream in mind."""

    book: Bookkeeper
    hold: Holder
    polls: Callable[[Head, Doing, Caller], bool]


class Request:
    """One request of somebody who was let in."""

    def __init__(
        self,
        client: Client,
        head: Head,
        admission: Admission,
        what: Doing,
        address: str,
        *,
        way: Callable[[Admission, Head, Doing], Awaitable[Upstream]],
        books: Books,
        moves: Moves,
    ) -> None:
        self._way = way
        self._books = books
        caller = admission.caller
        who = f"{caller.user_id} {address}"
        self._passing = Passing(moves, admission.where, head, what, name=caller.cluster_name, who=who)
        self._client = client
        self._head = head
        self._admission = admission
        self._doing = what
        self._address = address
        self._began = time.monotonic()
        self._forbidden = False
        self._as = claimed(head)
        self._body_limit = body_limit(what)
        self._booked = False

    async def serve_and_book(self) -> None:
        """Serves it; what the gateway refuses itself, and what breaks off, is booked as well as what is answered."""
        try:
            await self.serve()
        except Refused as refused:
            self._book(refused.status, refused_for=refused.why)
            raise
        finally:
            self._book(0)

    async def serve(self) -> None:
        acts_as = claims_check(self._head, self._admission.caller)
        Measured(self._body_limit).more(self._head.length)
        patience = time.monotonic() + READY_PATIENCE
        hold = time.monotonic() + HOLD_SECONDS
        while True:
            upstream = await self._way(self._admission, self._head, self._doing)
            try:
                await self._attempt(upstream, acts_as)
                return
            except (Unreachable, NotProcessed) as error:
                if self._client.answer_begun:
                    raise ClientGone(str(error)) from None
                if self._client.body_begun:  # nothing was done with it: the client may send it again
                    raise self._again(error) from None
                until = hold if self._changing else patience
                if time.monotonic() > until:
                    raise self._unreachable(error) from None
                await asyncio.sleep(_AGAIN)
            except ClientGone:
                raise
            except OSError as error:
                if self._client.answer_begun:
                    raise ClientGone(str(error)) from None
                if not self._may_repeat or time.monotonic() > patience:
                    raise self._broken(error) from None
                await asyncio.sleep(_AGAIN)  # the answer itself may be what breaks it, each time and at once

    @property
    def _may_repeat(self) -> bool:
        """Whether it changes nothing and nothing of it is lost, so that another connection may try."""
        return self._doing.reads and not self._head.has_body and not self._head.upgrade

    def _broken(self, error: Exception) -> Refused:
        """The connection broke while the request was under way: what came of a change is not known."""
        name = self._admission.caller.cluster_name
        log.info("a request broke off", cluster=name, verb=self._doing.verb, error=str(error))
        sentence = f"The connection to the API server of {name} broke while it worked on this."
        if self._doing.reads:
            return Refused(503, sentence, why="broken", retry_after=RETRY_AFTER)
        return Refused(500, f"{sentence} Look whether it was done before you repeat it.", why="broken")

    def _again(self, error: Exception) -> Refused:
        name = self._admission.caller.cluster_name
        return Refused(503, f"{name} did nothing with this: {error} Send it again.", why="again", retry_after=1)

    @property
    def _changing(self) -> bool:
        target = self._admission.target
        return target is None or (bool(target.sentence) and not target.moving)

    def _unreachable(self, error: Exception) -> Refused:
        target = self._admission.target
        name = self._admission.caller.cluster_name
        if target is not None and target.sentence and target.phase != "Failed":
            return not_served(target, name, waking=True)
        return Refused(503, f"{name} does not answer now. {error}", why="unreachable", retry_after=RETRY_AFTER)

    async def _attempt(self, upstream: Upstream, acts_as: bool) -> None:
        await self._passing.before(upstream)
        if acts_as:
            identity = await acting_as(self._head, self._admission.caller, upstream)
        else:
            identity = impersonation(self._admission.caller)
        headers = [*passed_on(self._head), *identity]
        if self._head.upgrade:
            with metrics.LATENCY.labels("dial").time():
                stream = await upstream.stream()
            # somebody is in a pod for as long as it lasts; who only watches is not
            held = contextlib.nullcontext() if self._doing.reads else self._books.hold(self._record(101))
            with held, self._passing.switched(stream):
                status = await upgraded(self._client, self._head, headers, stream, self._note)
            if status:
                self._note(status)
        else:
            await self._forward(upstream, headers)
            if self._forbidden and not acts_as:
                upstream.doubt_roles()

    async def _forward(self, upstream: Upstream, headers: Headers) -> None:
        head = self._head
        with metrics.LATENCY.labels("dial").time():
            exchange = await upstream.request(head.method, head.target, headers, has_body=head.has_body)
        # the client's end ends the exchange; a body is sent while the answer may already come
        other = asyncio.create_task(self._send_body(exchange) if head.has_body else self._client_gone(exchange))
        try:
            with self._passing.carried(exchange):
                await self._answer(exchange)
        finally:
            exchange.cancel()
            other.cancel()

    async def _answer(self, exchange: Exchange) -> None:
        with metrics.LATENCY.labels("upstream").time():
            status, fields = await exchange.head()
        await self._passing.answered(status, fields)
        self._note(status)
        self._forbidden = status == 403
        await self._client.answer_head(status, answer_fields(fields))
        last = b""
        while part := await exchange.read():
            last = part
            await self._client.answer_data(part)
        self._passing.ended(last)
        await self._client.answer_end()

    async def _send_body(self, exchange: Exchange) -> None:
        measured = Measured(self._body_limit)
        try:
            while part := await self._body_part():
                measured.more(len(part))
                await exchange.send(part)
            await exchange.end()
        except (OSError, Refused) as error:
            exchange.on_failure(error)
        else:
            await self._client_gone(exchange)

    async def _body_part(self) -> bytes:
        """Whatever error it is (a timeout of TCP's or one of TLS is no ConnectionError), it is the client's."""
        try:
            return await self._client.body()
        except OSError as error:
            raise ClientGone(str(error)) from None

    async def _client_gone(self, exchange: Exchange) -> None:
        with contextlib.suppress(OSError):
            await self._client.gone()
        exchange.on_failure(ClientGone("The client ended the connection."))

    def _note(self, status: int) -> None:
        metrics.REQUESTS.labels(self._doing.verb, str(status)).inc()
        self._book(status)

    def _book(self, status: int, *, refused_for: str = "") -> None:
        """Once, whatever comes after it."""
        if self._booked:
            return
        self._booked = True
        record = self._record(status, refused_for=refused_for)
        if status and not refused_for:
            record = replace(record, polls=self._books.polls(self._head, self._doing, record.caller))
        self._books.book(record)

    def _record(self, status: int, *, refused_for: str = "") -> Record:
        target = self._admission.target
        return Record(
            at=timezone.now(),
            caller=self._admission.caller,
            doing=self._doing,
            status=status,
            seconds=time.monotonic() - self._began,
            address=self._address,
            user_agent=self._head.header(b"user-agent").decode("latin-1")[:200],
            acting_as=self._as,
            refused_for=refused_for,
            wanted=target.request_audit if target else RequestAudit.WRITES,
        )


def answer_fields(fields: Headers) -> list[tuple[bytes, bytes]]:
    """What the client gets of the API server's header fields, and what makes it harmless in a browser."""
    kept = [field for field in fields if field[0] not in _DROPPED and field[0] not in _SAFE_NAMES]
    cache = [field for field in fields if field[0] == b"cache-control"]
    return [
        *kept,
        *(field for field in SAFE if field[0] != b"cache-control"),
        *(cache or [(b"cache-control", b"no-store")]),
    ]
