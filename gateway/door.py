"""Who comes in: from a request's head to whose it is, how much they may, and the way to their cluster."""

import asyncio
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Final

from clusters.services.gateway_access import Caller
from gateway import metrics
from gateway.answers import Refused
from gateway.client import Client, ClientGone
from gateway.doorman import Admission, Doorman
from gateway.ending import AccessEnded, ended_with
from gateway.heads import Head, cluster_and_path
from gateway.limits import Limits
from gateway.names import Names
from gateway.passing import Moves
from gateway.polling import PollRule
from gateway.records import Bookkeeper, Holder
from gateway.request import Books, Request
from gateway.resources import Doing, doing
from gateway.revisions import Revisions
from gateway.upstream import Upstream
from gateway.upstreams import Upstreams
from gateway.waking import HOLD_SECONDS, WakeRules, not_served

_AGAIN: Final = 0.25


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
        hold: Holder = lambda record: nullcontext(),
        revisions: Revisions,
    ) -> None:
        self._names = names
        self._doorman = doorman
        self._upstreams = upstreams
        self._limits = limits
        self._rules = rules
        self._wake = wake
        self._polls = PollRule(rules.never)
        self._books = Books(book=book, hold=hold, polls=self._polling)
        self._moves = Moves(look=doorman.look_after, revisions=revisions)

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
        request = Request(
            client, inside, admission, what, address, way=self._upstream_of, books=self._books, moves=self._moves
        )
        kind = "stream" if head.upgrade else "watch" if what.verb == "watch" else "request"
        try:
            with (
                self._limits.held(caller.user_id, cluster_id, caller.cluster_name),
                metrics.UNDER_WAY.labels(kind).track_inprogress(),
                ended_with(admission),
            ):
                await request.serve_and_book()
        except AccessEnded:
            if client.answer_begun or client.switched:
                raise ClientGone("Whose it was may not go on.") from None
            await self._doorman.admit(head.bearer, cluster_id)  # says why, in most cases
            raise Refused(
                503, f"Your rights in {caller.cluster_name} have just changed.", why="changed", retry_after=1
            ) from None

    def _polling(self, head: Head, what: Doing, caller: Caller) -> bool:
        """Whether nobody stands behind a request that is answered."""
        return self._polls.polls(
            head.header(b"user-agent").decode("latin-1"),
            what,
            who=f"{caller.user_id} {caller.cluster_id}",
            target=head.target,
            person=not caller.service_account,
            now=time.monotonic(),
        )

    async def _upstream_of(self, admission: Admission, head: Head, what: Doing) -> Upstream:
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
