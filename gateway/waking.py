"""Requests to a cluster that does not answer now: who wakes it, who waits, and what is said to the others."""

import asyncio
import re
import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

import structlog
from django.utils import timezone

from gateway.answers import Refused
from gateway.database import Database, DatabaseAway
from gateway.doorman import Admission
from gateway.heads import Head
from gateway.polling import PollRule
from gateway.resources import Doing
from gateway.targets import Target

log = structlog.get_logger(__name__)

HOLD_SECONDS: Final = 25.0
"""How long a request is held. Proxies and clients give up after 30 s at the earliest."""
RETRY_AFTER: Final = 5
"""client-go asks ten times where it is told when: held and told to wait, that is five minutes in all."""
WAKE_AGAIN_SECONDS: Final = 10.0

_AGENT: Final = 256
"""Bytes of a User-Agent that are looked at."""


class WakeRules:
    """Whose requests wake: by User-Agent, as regular expressions. What neither knows does not wake."""

    def __init__(self, wakes: re.Pattern[str], never: re.Pattern[str]) -> None:
        self._wakes = wakes
        self.never = never
        # soon after is how kubectl asks again when it is told to
        self.polls = PollRule(never, again_seconds=HOLD_SECONDS + 2 * RETRY_AFTER)

    def waking(self, head: Head, doing: Doing, who: str, *, now: Callable[[], float] = time.monotonic) -> bool:
        """Whether this request says that somebody wants to use the cluster."""
        agent = head.header(b"user-agent").decode("latin-1")[:_AGENT]
        if self.never.search(agent) or not self._wakes.search(agent):
            return False
        return not self.polls.polls(agent, doing, who=who, target=head.target, person=True, now=now())


class Waker:
    """Asks for a cluster to be woken, at most once in WAKE_AGAIN_SECONDS for each."""

    def __init__(self, database: Database, wake_for: Callable[..., object]) -> None:
        self._database = database
        self._wake_for = wake_for
        self._asked: dict[UUID, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def wake(self, admission: Admission) -> None:
        """Returns at once; what comes of it is seen by the cluster's phase."""
        cluster, now = admission.caller.cluster_id, time.monotonic()
        if now - self._asked.get(cluster, -WAKE_AGAIN_SECONDS) < WAKE_AGAIN_SECONDS:
            return
        self._asked[cluster] = now
        task = asyncio.create_task(self._ask(admission))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, admission: Admission) -> None:
        caller = admission.caller
        try:
            await self._database.ask(
                self._wake_for, cluster_id=caller.cluster_id, handle=caller.handle, now=timezone.now()
            )
        except DatabaseAway:
            self._asked.pop(caller.cluster_id, None)
        except Exception:
            log.exception("a cluster could not be woken", cluster=caller.cluster_name)


def not_served(target: Target | None, name: str, *, waking: bool) -> Refused:
    """What is told to who asks for a cluster that is not there to answer."""
    if target is None:
        return Refused(503, f"{name} has no place yet; it is being made.", why="pending", retry_after=RETRY_AFTER)
    short = target.name.rpartition("/")[2]
    project = target.name.rpartition("/")[0]
    if target.phase == "Asleep" and not waking:
        return Refused(
            503,
            f"{target.name} is asleep, and requests of this kind do not wake it: marina wake {short} -p {project}",
            why="asleep",
        )
    why = target.phase.lower() if target.sentence else "unreachable"
    return Refused(503, f"{target.name} {target.sentence}; it will answer soon.", why=why, retry_after=RETRY_AFTER)
