"""One request from its head to the end of its answer."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

import structlog
from django.utils import timezone

from accounts.models import RequestAudit
from clusters.services.gateway_access import Caller
from gateway import metrics
from gateway.acting_as import acting_as
from gateway.answers import SAFE, Refused
from gateway.client import Client, ClientGone
from gateway.doorman import Admission, Doorman
from gateway.heads import BadRequest, Head, cluster_and_path, cluster_of_host
from gateway.http2 import Exchange, Headers, NotProcessed
from gateway.identity import claims_check, impersonation, passed_on
from gateway.limits import Limits
from gateway.polling import PollRule
from gateway.records import Bookkeeper, Holder, Record
from gateway.resources import Doing, doing
from gateway.upgraded import upgraded
from gateway.upstream import Unreachable, Upstream
from gateway.upstreams import Upstreams
from gateway.waking import HOLD_SECONDS, RETRY_AFTER, WakeRules, not_served

log = structlog.get_logger(__name__)

READY_PATIENCE: Final = 4.0
"""Seconds for which a request waits for a cluster that should answer: its pod may just be replaced."""
_AGAIN: Final = 0.25
_DROPPED: Final = frozenset((b"set-cookie", b"connection", b"transfer-encoding", b"keep-alive", b"alt-svc", b"upgrade"))
_SAFE_NAMES: Final = frozenset(name for name, _ in SAFE)


@dataclass(frozen=True)
class Names:
    """What this gateway is called: `hosts` it answers to (empty: any), and the domain of clusters' own names."""

    hosts: frozenset[str]
    cluster_domain: str

    def cluster_of(self, host: str) -> UUID | None:
        """The cluster of a host name of its own. BadRequest (421) for one that is not the gateway's."""
        cluster = cluster_of_host(host, self.cluster_domain)
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if cluster is None and self.hosts and name.lower().strip("[]") not in self.hosts:
            raise BadRequest("This is the gateway of other host names.", status=421)
        return cluster


class Door:
    """All that a request needs; one a process."""

    def __init__(
        self,
        *,
        names: Names,
        doorman: Doorman,
        upstreams: Upstreams,
        limits: Limits,
        rules: WakeRules,
        wake: Callable[[Admission], None],
        book: Bookkeeper,
        hold: Holder = lambda record: contextlib.nullcontext(),
    ) -> None:
        self._names = names
        self._doorman = doorman
        self._upstreams = upstreams
        self._limits = limits
        self._rules = rules
        self._wake = wake
        self._book = book
        self._polls = PollRule(rules.never)
        self.hold = hold

    async def serve(self, client: Client, head: Head, address: str, *, let_in: Callable[[], object]) -> None:
        """Answers the request; `let_in` is called when it is known whose it is.

        Refused and BadRequest where that is still to be told, ClientGone where nobody hears it.
        """
        began = time.monotonic()
        cluster_id, path = cluster_and_path(head, cluster_of_host=self._names.cluster_of(head.host))
        if not head.bearer:
            raise Refused(401, "There is no token in the request. `marina kubeconfig` sets one up.", why="no-token")
        admission = await self._doorman.admit(head.bearer, cluster_id)
        metrics.LATENCY.labels("auth").observe(time.monotonic() - began)
        let_in()
        caller = admission.caller
        self._limits.count(caller.user_id, cluster_id, caller.cluster_name)
        inside = replace(head, path=path)
        what = doing(head.method.decode(), path.decode(), head.query.decode("latin-1"))
        request = _Request(self, client, inside, admission, what, address)
        kind = "stream" if head.upgrade else "watch" if what.verb == "watch" else "request"
        try:
            with (
                self._limits.held(caller.user_id, cluster_id, caller.cluster_name),
                metrics.UNDER_WAY.labels(kind).track_inprogress(),
                _ended_with(admission),
            ):
                await request.serve_and_book()
        except _AccessEnded:
            if client.answer_begun or client.switched:
                raise ClientGone("Whose it was may not go on.") from None
            await self._doorman.admit(head.bearer, cluster_id)  # says why, in most cases
            raise Refused(
                503, f"Your rights in {caller.cluster_name} have just changed.", why="changed", retry_after=1
            ) from None

    async def upstream_of(self, admission: Admission, head: Head, what: Doing) -> Upstream:
        """The way to the cluster, for which it is woken where the request is one that wakes."""
        deadline = time.monotonic() + HOLD_SECONDS
        wakes: bool | None = None  # asked once: what is asked again looks like kubectl coming back as it was told
        woken = False
        while True:
            target = admission.target
            if target is not None and target.served:
                return self._upstreams.of(target)
            if wakes is None:
                wakes = self._rules.waking(head, what, admission.caller.token)
            if target is not None and target.phase == "Asleep" and not woken:
                if not wakes:
                    raise not_served(target, admission.caller.cluster_name, waking=False)
                self._wake(admission)
                woken = True
            if time.monotonic() > deadline:
                raise not_served(target, admission.caller.cluster_name, waking=True)
            await asyncio.sleep(_AGAIN)

    def book(self, record: Record) -> None:
        self._book(record)

    def polls(self, head: Head, what: Doing, caller: Caller) -> bool:
        """Whether nobody stands behind a request that is answered."""
        return self._polls.polls(
            head.header(b"user-agent").decode("latin-1"),
            what,
            who=f"{caller.user_id} {caller.cluster_id}",
            target=head.target,
            person=not caller.service_account,
            now=time.monotonic(),
        )


class _AccessEnded(Exception):
    """The caller may not go on."""


class _ended_with:  # noqa: N801 - used as a context manager
    """What is done in it is broken off with _AccessEnded when its caller may not go on."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._task = asyncio.current_task()
        self._over = False

    def __enter__(self) -> None:
        self._admission.on_end(self._end)

    def _end(self) -> None:
        if self._task is not None and not self._over:
            self._over = True
            self._task.cancel()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._admission.over(self._end)
        if self._over and self._task is not None and self._task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise _AccessEnded from None


class _Request:
    """One request of somebody who was let in."""

    def __init__(self, door: Door, client: Client, head: Head, admission: Admission, what: Doing, address: str) -> None:
        self._door = door
        self._client = client
        self._head = head
        self._admission = admission
        self._doing = what
        self._address = address
        self._began = time.monotonic()
        self._forbidden = False
        self._as = head.header(b"impersonate-user").decode("utf-8", "replace")
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
        patience = time.monotonic() + READY_PATIENCE
        hold = time.monotonic() + HOLD_SECONDS
        while True:
            upstream = await self._door.upstream_of(self._admission, self._head, self._doing)
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
        return target is None or bool(target.sentence)

    def _unreachable(self, error: Exception) -> Refused:
        target = self._admission.target
        name = self._admission.caller.cluster_name
        if target is not None and target.sentence and target.phase != "Failed":
            return not_served(target, name, waking=True)
        return Refused(503, f"{name} does not answer now. {error}", why="unreachable", retry_after=RETRY_AFTER)

    async def _attempt(self, upstream: Upstream, acts_as: bool) -> None:
        if acts_as:
            identity = await acting_as(self._head, self._admission.caller, upstream)
        else:
            identity = impersonation(self._admission.caller)
        headers = [*passed_on(self._head), *identity]
        if self._head.upgrade:
            # somebody is in a pod for as long as it lasts; who only watches is not
            held = contextlib.nullcontext() if self._doing.reads else self._door.hold(self._record(101))
            with held:
                status = await upgraded(self._client, self._head, headers, await upstream.stream(), self._note)
            if status:
                self._note(status)
        else:
            await self._forward(upstream, headers)
            if self._forbidden and not acts_as:
                upstream.doubt_roles()

    async def _forward(self, upstream: Upstream, headers: Headers) -> None:
        head = self._head
        exchange = await upstream.request(head.method, head.target, headers, has_body=head.has_body)
        # the client's end ends the exchange; a body is sent while the answer may already come
        other = asyncio.create_task(self._send_body(exchange) if head.has_body else self._client_gone(exchange))
        try:
            status, fields = await exchange.head()
            metrics.LATENCY.labels("upstream").observe(time.monotonic() - self._began)
            self._note(status)
            self._forbidden = status == 403
            await self._client.answer_head(status, answer_fields(fields))
            while part := await exchange.read():
                await self._client.answer_data(part)
            await self._client.answer_end()
        finally:
            exchange.cancel()
            other.cancel()

    async def _send_body(self, exchange: Exchange) -> None:
        try:
            while part := await self._body_part():
                await exchange.send(part)
            await exchange.end()
        except OSError as error:
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
            record = replace(record, polls=self._door.polls(self._head, self._doing, record.caller))
        self._door.book(record)

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
