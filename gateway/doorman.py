"""Who may come in, and whether they still may: asked of the database, remembered for seconds.

A request never waits for a question that was answered a moment ago; what is open is asked about again and again. So a
role that is taken acts within RECHECK_SECONDS and one question's time, and a database that is away stops nobody whom it
had let in, for STALE_SECONDS.
"""

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from django.utils import timezone

from accounts.errors import MarinaError
from clusters.services.gateway_access import Caller
from gateway.answers import Refused
from gateway.database import Database, DatabaseAway
from gateway.targets import Target
from gateway.whereabouts import Look, Whereabouts

log = structlog.get_logger(__name__)

RECHECK_SECONDS: Final = 2.0
MOVES_SECONDS: Final = 0.1
"""Where clusters are that are being moved, and whether they take writes, is asked this often."""
FRESH_SECONDS: Final = 4.0
"""An answer this old counts without asking again."""
ANEW_SECONDS: Final = 10.0
"""Who stays is asked about in full this often, besides the request: they may have got more than they had."""
STALE_SECONDS: Final = 30.0
"""How old an answer may be while the database is away."""
KEPT_SECONDS: Final = 60.0
"""So long after its last request somebody is remembered at all."""
REFUSED_SECONDS: Final = 1.0
"""How long a refusal is repeated without asking: who sends a wrong token again and again costs nothing."""
_MOST_REMEMBERED: Final = 50_000
_MOST_ASKING: Final = 1_000
"""Questions under way. Unknown tokens cost a query each: those who send many of them find no room, and no memory."""

Key = tuple[bytes, UUID]
"""A token's digest, and the cluster it is presented for."""


@dataclass(frozen=True)
class Questions:
    """What is asked of the database. Functions that block."""

    caller_of: Callable[..., Caller]
    callers_still: Callable[..., set[Caller]]
    targets_of: Callable[[Sequence[UUID]], dict[UUID, Target]]


class Admission:
    """Somebody let in. `ended` is set when they may not go on; `where` follows the cluster."""

    def __init__(self, caller: Caller, where: Whereabouts, now: float) -> None:
        self.caller = caller
        self.where = where
        self.checked = self.used = self.asked = now
        self.open = 0
        self.ended = False
        self._on_end: set[Callable[[], None]] = set()

    @property
    def target(self) -> Target | None:
        """Where the cluster is now."""
        return self.where.target

    def on_end(self, end: Callable[[], None]) -> None:
        self._on_end.add(end)
        self.open += 1
        if self.ended:  # between the answer and this; nobody would ask about it again
            end()

    def over(self, end: Callable[[], None]) -> None:
        self._on_end.discard(end)
        self.open -= 1

    def end(self) -> None:
        """Ends what is open in this name, and what would still begin in it."""
        self.ended = True
        for end in list(self._on_end):
            end()


class Doorman:
    """One a process."""

    def __init__(
        self,
        database: Database,
        questions: Questions,
        *,
        rechecks: Database | None = None,
        moves: Database | None = None,
        moved: Callable[[Target], None] = lambda target: None,
    ) -> None:
        """`rechecks` and `moves`: threads of their own for who is here, and for clusters that are being moved.

        `moved` is told of a cluster that is served from elsewhere than before.
        """
        self._database = database
        self._rechecks = rechecks or database
        self._moves = moves or database
        self._moved = moved
        self._places: dict[UUID, Whereabouts] = {}
        self._questions = questions
        self._known: dict[Key, Admission] = {}
        self._refused: dict[Key, tuple[float, Refused]] = {}
        self._asking: dict[Key, asyncio.Task[Admission]] = {}
        self._away = False
        self.refusals: Counter[str] = Counter()

    async def admit(self, presented: str, cluster_id: UUID) -> Admission:
        """Lets in, or raises Refused with what the client is told."""
        key = (hashlib.sha256(presented.encode("latin-1", "replace")).digest(), cluster_id)
        now = time.monotonic()
        known = self._known.get(key)
        if known is not None:
            known.used = now
            if self._counts(known, now):
                if now - known.asked > ANEW_SECONDS and not self._away and len(self._asking) < _MOST_ASKING:
                    self._begin(key, presented)
                return known
        if (before := self._refused.get(key)) is not None and now - before[0] < REFUSED_SECONDS:
            raise before[1]
        return await asyncio.shield(self._begin(key, presented))

    def _counts(self, known: Admission, now: float) -> bool:
        """Whether what is remembered lets a new request in. Nobody waits for a database that is known to be away."""
        lasts = STALE_SECONDS if self._away else FRESH_SECONDS
        return now - known.checked <= lasts and not _over(known.caller)

    def _begin(self, key: Key, presented: str) -> "asyncio.Task[Admission]":
        """The question, which all who ask it at the same time share."""
        task = self._asking.get(key)
        if task is None and len(self._asking) >= _MOST_ASKING:
            raise Refused(503, "Too many want in at once; try again in a moment.", why="crowded", retry_after=5)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._ask(key, presented))
            task.add_done_callback(lambda done: self._asked(key, done))
        return task

    def _asked(self, key: Key, done: "asyncio.Task[Admission]") -> None:
        self._asking.pop(key, None)
        if not done.cancelled():
            done.exception()

    async def _ask(self, key: Key, presented: str) -> Admission:
        known, began = self._known.get(key), time.monotonic()
        try:
            caller, look = await self._database.ask(self._question, presented, key[1], timezone.now())
        except DatabaseAway:
            self._away = True
            if known is not None and self._counts(known, time.monotonic()):
                return known
            raise Refused(
                503, "Marina's database does not answer; try again in a moment.", why="database", retry_after=5
            ) from None
        except MarinaError as error:
            # a short-lived token that is over opens nothing more, but what it opened goes on while its person may
            if known is None or not _over(known.caller) or _ended(known.caller):
                self._drop(key)
            refused = _refused(error)
            self._remember_refusal(key, refused)
            raise refused from None
        self._away = False
        now = time.monotonic()
        where = self._places.setdefault(key[1], Whereabouts(key[1]))
        self._see(where, look)
        if known is not None and known is self._known.get(key) and known.caller == caller:
            known.checked, known.asked = max(known.checked, began), now
            return known
        self._drop(key)
        admission = self._known[key] = Admission(caller, where, began)
        return admission

    def _question(self, presented: str, cluster_id: UUID, now: datetime) -> tuple[Caller, Look]:
        caller = self._questions.caller_of(presented=presented, cluster_id=cluster_id, now=now)
        return caller, self._look([cluster_id])

    def _look(self, cluster_ids: Sequence[UUID]) -> Look:
        began = time.monotonic()
        targets = self._questions.targets_of(cluster_ids)
        return Look(targets, began, time.monotonic())

    def _see(self, where: Whereabouts, look: Look) -> None:
        if where.told(look) and where.target is not None:
            self._moved(where.target)

    def _drop(self, key: Key) -> None:
        if (gone := self._known.pop(key, None)) is not None:
            gone.end()

    def _remember_refusal(self, key: Key, refused: Refused) -> None:
        self.refusals[refused.why] += 1
        if len(self._refused) >= _MOST_REMEMBERED:
            self._refused.clear()
        self._refused[key] = (time.monotonic(), refused)

    # --- clusters that are being moved --------------------------------------------------------------------------------

    async def follow(self) -> None:
        """Asks where they are, again and again, until it is cancelled. Costs nothing where none is being moved."""
        while True:
            await asyncio.sleep(MOVES_SECONDS)
            try:
                await self.look_after([where for where in self._places.values() if where.moving])
            except Exception:
                log.exception("asking where clusters are that are being moved failed")

    async def look_after(self, places: Sequence[Whereabouts]) -> None:
        """Asks now. Where the database is away, what was known gets older."""
        if not places:
            return
        try:
            look = await self._moves.ask(self._look, [where.cluster_id for where in places])
        except DatabaseAway:
            return
        for where in places:
            self._see(where, look)

    # --- asking again -----------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Asks again about everybody who is here, until it is cancelled."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            try:
                await self.recheck()
            except Exception:
                log.exception("asking again who may stay failed")

    async def recheck(self) -> None:
        """Once. Who may not stay is ended; while the database is away, who was let in stays for STALE_SECONDS."""
        began = time.monotonic()
        self._forget(began)
        here = dict(self._known)
        if not here:
            return
        callers = list({admission.caller for admission in here.values()})
        clusters = list({admission.caller.cluster_id for admission in here.values()})
        try:
            still, look = await self._rechecks.ask(self._again, callers, clusters, timezone.now())
        except DatabaseAway:
            self._away = True
            self._end_stale()
            return
        self._away = False
        for cluster_id in clusters:
            if (where := self._places.get(cluster_id)) is not None:
                self._see(where, look)
        for key, admission in here.items():
            if self._known.get(key) is not admission:
                continue
            if admission.caller in still:
                admission.checked = max(admission.checked, began)
            else:
                self._drop(key)

    def _again(self, callers: list[Caller], clusters: list[UUID], now: datetime) -> tuple[set[Caller], Look]:
        return self._questions.callers_still(callers=callers, now=now), self._look(clusters)

    def _end_stale(self) -> None:
        now = time.monotonic()
        for key, admission in list(self._known.items()):
            if now - admission.checked > STALE_SECONDS or _ended(admission.caller):
                self._drop(key)

    def _forget(self, now: float) -> None:
        for key, admission in list(self._known.items()):
            if not admission.open and now - admission.used > KEPT_SECONDS:
                self._known.pop(key, None)
        here = {admission.caller.cluster_id for admission in self._known.values()}
        self._places = {cluster_id: where for cluster_id, where in self._places.items() if cluster_id in here}
        for key, (when, _) in list(self._refused.items()):
            if now - when > REFUSED_SECONDS:
                self._refused.pop(key, None)


def _over(caller: Caller) -> bool:
    """Whether the token opens nothing new any more."""
    return caller.token_until <= timezone.now()


def _ended(caller: Caller) -> bool:
    return caller.until is not None and caller.until <= timezone.now()


def _refused(error: MarinaError) -> Refused:
    message = f"{error.message} {error.hint}".strip()
    return Refused(error.status, message, why=error.code)
