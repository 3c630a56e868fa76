"""Work on things that change: each is looked at again until nothing is left to do, by one task at a time."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from localkube.api import ApiError, Unreachable

Key = tuple[str, str]
"""Namespace and name inside the virtual cluster."""

_FIRST_RETRY_SECONDS = 0.5
_LONGEST_RETRY_SECONDS = 15.0


@dataclass
class _Work:
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None


class Settling:
    """Calls `reconcile(key)` after every change of that key; when it fails, again later, with growing delay."""

    def __init__(
        self, tasks: asyncio.TaskGroup, reconcile: Callable[[Key], Awaitable[None]], *known: asyncio.Event
    ) -> None:
        """Nothing is reconciled before all of `known` are set: until then "it is not there" means nothing."""
        self._tasks = tasks
        self._reconcile = reconcile
        self._known = known
        self._work: dict[Key, _Work] = {}

    def look_at(self, key: Key) -> None:
        work = self._work.setdefault(key, _Work())
        work.changed.set()
        if work.task is None:
            work.task = self._tasks.create_task(self._settle(key, work))

    async def _settle(self, key: Key, work: _Work) -> None:
        for known in self._known:
            await known.wait()
        delay = _FIRST_RETRY_SECONDS
        while work.changed.is_set():
            work.changed.clear()
            try:
                await self._reconcile(key)
                delay = _FIRST_RETRY_SECONDS
            except (ApiError, *Unreachable):
                with contextlib.suppress(TimeoutError):
                    # not wait_for: in Python 3.11 it swallows a cancellation that comes as the event does
                    async with asyncio.timeout(delay):
                        await work.changed.wait()
                work.changed.set()
                delay = min(delay * 2, _LONGEST_RETRY_SECONDS)
        del self._work[key]
