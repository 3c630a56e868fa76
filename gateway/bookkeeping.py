"""The gateway's books: who uses what, and single requests where their project wants them. Written in batches.

What is booked waits in memory until the next batch, and while the database is away for as long as there is room: what
finds none is counted and told. Each request's own line of the log is written at once, so it is never lost with that.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

import structlog
from django.db import DataError
from django.utils import timezone

from clusters.models import GatewayRequest
from clusters.services.cluster_uses import OTHER, Use, UseKey
from clusters.services.gateway_requests import request_recorded
from gateway import metrics
from gateway.database import Database, DatabaseAway
from gateway.polling import is_use
from gateway.records import Record, client_of, request_told

log = structlog.get_logger(__name__)
requests_log = structlog.get_logger("marina.requests")

WRITE_SECONDS: Final = 2.0
CLOSE_SECONDS: Final = 5.0
"""How long the last batches may take when the process ends."""
AT_ONCE: Final = 500
_AGAIN: Final = 0.25
MOST_REQUESTS: Final = 20_000
"""So many wait in memory at most, about 40 MB."""
MOST_USES: Final = 10_000
TELL_SECONDS: Final = 20.0
"""How often it is told that the books are written, for who asks whether nobody came."""
HELD_SECONDS: Final = 60.0
"""How often a stream that stays open counts as a use anew."""


class Bookkeeper:
    """One a process; all but the writing is done in the event loop."""

    def __init__(
        self,
        database: Database,
        *,
        uses_add: Callable[..., object],
        requests_add: Callable[..., object],
        written: Callable[[datetime], object] | None = None,
        clock: Callable[[], datetime] = timezone.now,
        most_requests: int = MOST_REQUESTS,
        most_uses: int = MOST_USES,
    ) -> None:
        self._database = database
        self._uses_add = uses_add
        self._requests_add = requests_add
        self._written_until = written
        self._clock = clock
        self._told_at: datetime | None = None
        self._held: dict[int, Record] = {}
        self._most_requests = most_requests
        self._most_uses = most_uses
        self._uses: dict[UseKey, Use] = {}
        self._uses_going: dict[UseKey, Use] = {}
        self._requests: deque[dict[str, Any]] = deque()
        self._writing = asyncio.Lock()
        self._dropped = {"uses": 0, "requests": 0}

    def book(self, record: Record) -> None:
        """Takes a record and returns at once."""
        if not record.refused_for and record.status:
            self._use(record)
        caller = record.caller
        always = caller.broken_glass or record.acting_as is not None
        if request_recorded(wanted=record.wanted, reads=record.doing.reads, always=always):
            self._request(request_told(record))

    @contextmanager
    def held(self, record: Record) -> Iterator[None]:
        """While a stream is open somebody is there, however long ago it was asked for."""
        self._held[id(record)] = record
        try:
            yield
        finally:
            self._held.pop(id(record), None)

    def _held_on(self) -> None:
        now = self._clock()
        for key, record in self._held.items():
            if now - record.at >= timedelta(seconds=HELD_SECONDS):
                self._held[key] = replace(record, at=now)
                self._add(replace(_use_of(self._held[key]), reads=0, writes=0))

    def _use(self, record: Record) -> None:
        self._add(_use_of(record))

    def _add(self, use: Use) -> None:
        known = self._uses.get(use.key)
        if known is None and len(self._uses) + len(self._uses_going) >= self._most_uses:
            self._drop("uses", 1)
            return
        self._uses[use.key] = known.and_also(use) if known else use

    def _request(self, told: dict[str, Any]) -> None:
        requests_log.info("request", **{key: _line(value) for key, value in told.items()})
        if len(self._requests) >= self._most_requests:
            self._drop("requests", 1)
            return
        self._requests.append(told)

    def _drop(self, book: str, count: int) -> None:
        self._dropped[book] += count
        metrics.BOOKS_DROPPED.labels(book).inc(count)

    # --- writing ----------------------------------------------------------------------------------------------------

    async def keep(self) -> None:
        """Writes every WRITE_SECONDS, until it is cancelled."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            try:
                await self.write()
            except Exception:
                log.exception("the books could not be written")

    async def close(self, *, seconds: float = CLOSE_SECONDS) -> None:
        """Writes what is left. What the database does not take within `seconds` is counted and told."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not await self.write():
                    await asyncio.sleep(_AGAIN)
        self._drop("uses", len(self._uses) + len(self._uses_going))
        self._drop("requests", len(self._requests))
        self._tell_dropped()

    async def write(self) -> bool:
        """Writes what there is; False where the database is away, and then it is kept."""
        async with self._writing:
            self._tell_dropped()
            self._held_on()
            began = self._clock()
            if not (await self._write_uses() and await self._write_requests()):
                return False
            await self._tell_written(began)
            return True

    async def _tell_written(self, until: datetime) -> None:
        """That this is missing tells others that they do not know whether a cluster is idle."""
        told = self._told_at
        if self._written_until is None or (told and until - told < timedelta(seconds=TELL_SECONDS)):
            return
        with suppress(DatabaseAway):
            await self._database.ask(self._written_until, until)
            self._told_at = until

    async def _write_uses(self) -> bool:
        while self._uses_going or self._uses:
            if not self._uses_going:
                self._uses_going, self._uses = self._uses, {}
            some = list(islice(self._uses_going.values(), AT_ONCE))
            if not await self._written("uses", self._uses_add, uses=some):
                return False
            for use in some:
                del self._uses_going[use.key]
        return True

    async def _write_requests(self) -> bool:
        while self._requests:
            some = [GatewayRequest(**told) for told in islice(self._requests, AT_ONCE)]
            if not await self._written("requests", self._requests_add, requests=some):
                return False
            for _ in some:
                self._requests.popleft()
        return True

    async def _written(self, book: str, add: Callable[..., object], **batch: Any) -> bool:
        """False where the database is away. A batch that it will never take is dropped, not tried for ever."""
        try:
            await self._database.ask(add, **batch)
        except DatabaseAway as error:
            if not isinstance(error.__cause__, DataError):
                return False
            log.error("the database refuses a batch of the books", book=book, error=str(error).strip())
            self._drop(book, sum(len(rows) for rows in batch.values()))
        return True

    def _tell_dropped(self) -> None:
        """What was dropped since the last time, in one line for each book."""
        for book, count in self._dropped.items():
            if count:
                log.error("the books have gaps: the database did not take them in time", book=book, dropped=count)
                self._dropped[book] = 0


def _use_of(record: Record) -> Use:
    reads = record.doing.reads
    return Use(
        cluster_id=record.caller.cluster_id,
        user_id=record.caller.user_id,
        client=client_of(record.user_agent) or OTHER,
        reads=int(reads),
        writes=int(not reads),
        last_read_at=record.at if reads else None,
        last_write_at=None if reads else record.at,
        last_meant_at=record.at if is_use(record.doing, polls=record.polls) else None,
    )


def _line(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str | int | float | bool | list | None) else str(value)
