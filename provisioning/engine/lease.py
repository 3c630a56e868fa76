"""Leases: the right of one worker to work on one operation, for a while.

A claim raises the operation's token, and every later write of the worker carries it, so a worker that was stopped, cut
off or declared dead writes nothing any more. Who is given which operation is decided here too: see lease_claim_next.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import close_old_connections, connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.db.models.lookups import LessThanOrEqual

from clusters.models import ACTIVE_STATES, PLATFORM, Operation, OperationState

log = structlog.get_logger(__name__)


class LeaseLost(Exception):
    """Another worker holds the operation now, or may. Whoever gets this stops at once and writes nothing."""


class Lease:
    """A claim on an operation. Safe to ask from any thread.

    `taken_over`: whoever had it before did not hand it back, so it ended in the middle of a step.
    """

    def __init__(self, *, operation_id: UUID, token: int, seconds: float, taken_over: bool = False) -> None:
        self.operation_id = operation_id
        self.token = token
        self.seconds = seconds
        self.taken_over = taken_over
        self._valid_until = 0.0
        self._renewed_until = float("inf")
        self._lost = False

    def extend(self, *, asked_at: float) -> None:
        """The lease was granted by a statement sent at `asked_at` (monotonic seconds)."""
        # a little less than the database's own reckoning, so that we stop before somebody else may start
        self._valid_until = asked_at + self.seconds * 0.9

    def renewed_for(self, seconds: float) -> None:
        """After so long it is renewed no more: a call that never ends must not hold its operation for ever."""
        self._renewed_until = time.monotonic() + seconds

    @property
    def outlasted(self) -> bool:
        """Whether what is done under it takes longer than it ever may."""
        return time.monotonic() > self._renewed_until

    def lose(self) -> None:
        """Somebody else has it."""
        self._lost = True

    def check(self) -> None:
        """Raises LeaseLost unless the lease is surely still ours. Called before every effect on the outside."""
        if self._lost or time.monotonic() >= self._valid_until:
            raise LeaseLost(f"The lease on operation {self.operation_id} (token {self.token}) is gone.")


def lease_claim(*, operation_id: UUID, owner: str, seconds: float) -> Lease | None:
    """Takes an operation that is due and that nobody holds; None where there is none such."""
    asked_at = time.monotonic()
    with transaction.atomic():  # who waits for the lock looks again at whether it is still due
        row = _due(operation_id).select_for_update().values("lease_token", "lease_expires_at").first()
        if row is None:
            return None
        token = row["lease_token"] + 1
        Operation.objects.filter(pk=operation_id).update(
            lease_owner=owner,
            lease_token=token,
            lease_expires_at=Now() + timedelta(seconds=seconds),
            published_at=None,
            state=OperationState.PROCESSING,
        )
    taken_over = row["lease_expires_at"] is not None
    lease = Lease(operation_id=operation_id, token=token, seconds=seconds, taken_over=taken_over)
    lease.extend(asked_at=asked_at)
    return lease


_TOLD = """o.state IN ('Pending', 'Processing', 'Error') AND o.published_at IS NOT NULL AND o.waiting_host_id IS NULL"""
_DUE = f"""{_TOLD}
  AND (o.run_after IS NULL OR o.run_after <= STATEMENT_TIMESTAMP())
  AND (o.lease_expires_at IS NULL OR o.lease_expires_at < STATEMENT_TIMESTAMP())"""
_OF = f"coalesce(o.organization_id, '{PLATFORM}'::uuid)"
_TURN = "(o.started_at IS NULL), coalesce(o.run_after, o.created_at), o.id"

# `first` has each organization's next operation: it jumps from one to the next in the index operation_turn, whose order
# is _OF, _TURN. So what a claim costs grows with the organizations that wait, not with their operations. `chosen` looks
# in the order of `turn` for one that nobody else is just claiming; a lateral join keeps the order of its left side.
_CLAIM_NEXT = f"""
WITH RECURSIVE first (organization, begun_not, since, id) AS (
  (SELECT {_OF}, {_TURN} FROM clusters_operation o WHERE {_DUE} ORDER BY {_OF}, {_TURN} LIMIT 1)
  UNION ALL
  SELECT following.* FROM first CROSS JOIN LATERAL (
    SELECT {_OF}, {_TURN} FROM clusters_operation o
    WHERE {_OF} > first.organization AND {_DUE} ORDER BY {_OF}, {_TURN} LIMIT 1
  ) following
), turn AS (
  SELECT first.organization FROM first CROSS JOIN LATERAL (
    SELECT count(*) AS leases FROM clusters_operation o
    WHERE {_OF} = first.organization AND o.lease_expires_at > STATEMENT_TIMESTAMP()
  ) at_work
  ORDER BY at_work.leases, coalesce(array_position(%(served)s::uuid[], first.organization), 0),
    first.begun_not, first.since, first.id
), chosen AS (
  SELECT due.* FROM turn CROSS JOIN LATERAL (
    SELECT o.id, o.lease_expires_at, o.published_at FROM clusters_operation o
    WHERE {_OF} = turn.organization AND {_DUE} ORDER BY {_TURN} LIMIT 1 FOR UPDATE SKIP LOCKED
  ) due LIMIT 1
), told AS (
  SELECT t.id FROM clusters_operation t, chosen
  WHERE t.id = %(told)s AND t.id <> chosen.id AND t.published_at IS NOT NULL
    AND chosen.published_at < STATEMENT_TIMESTAMP() - %(late)s * interval '1 second'
  FOR UPDATE OF t SKIP LOCKED
), exchanged AS (
  UPDATE clusters_operation o SET published_at = chosen.published_at FROM chosen, told WHERE o.id = told.id
)
UPDATE clusters_operation o
SET lease_owner = %(owner)s, lease_token = o.lease_token + 1, published_at = NULL, state = 'Processing',
    lease_expires_at = STATEMENT_TIMESTAMP() + %(seconds)s * interval '1 second'
FROM chosen WHERE o.id = chosen.id
RETURNING o.*, chosen.lease_expires_at IS NOT NULL AS taken_over"""  # noqa: S608 (of the constants above)


class Turns:
    """Which organizations this process worked for last, so that their turns go round. Safe to ask from any thread."""

    REMEMBERED = 64

    def __init__(self) -> None:
        self._served: list[UUID] = []
        self._lock = threading.Lock()

    def served(self) -> list[UUID]:
        """The newest last."""
        with self._lock:
            return list(self._served)

    def note(self, organization_id: UUID | None) -> None:
        """It had its turn."""
        organization = organization_id or PLATFORM
        with self._lock:
            others = [known for known in self._served if known != organization]
            self._served = [*others, organization][-self.REMEMBERED :]


@dataclass(frozen=True)
class Claim:
    """An operation, and the right to work on it."""

    operation: Operation
    lease: Lease


def lease_claim_next(*, owner: str, seconds: float, turns: Turns, told: UUID | None = None) -> Claim | None:
    """Takes the operation whose turn it fairly is; None where nothing is due.

    First those of organizations with the fewest operations at work, of these of the one that had no turn for the
    longest, so that one tenant's hundreds leave another's single one its turn; there what was begun, then what waits
    longest. Only operations whose message was sent count: there are as many messages as those, so each is claimed by
    one of them, whichever it was sent for. `told` is whose message this was: where one is taken whose own message is
    late, and may be lost, `told` counts as told when that one was. So a loss is found out in time, although each time
    it may be another operation that is left without a message.
    """
    asked_at = time.monotonic()
    late = settings.UNCLAIMED_SECONDS / 3
    params = {"owner": owner, "seconds": seconds, "served": turns.served(), "told": told, "late": late}
    operation = next(iter(Operation.objects.raw(_CLAIM_NEXT, params)), None)
    if operation is None:
        return None
    turns.note(operation.organization_id)
    taken_over: bool = operation.taken_over  # type: ignore[attr-defined]
    lease = Lease(operation_id=operation.pk, token=operation.lease_token, seconds=seconds, taken_over=taken_over)
    lease.extend(asked_at=asked_at)
    return Claim(operation, lease)


def _due(operation_id: UUID) -> QuerySet[Operation]:
    """By the database's clock alone: workers' clocks may differ."""
    return (
        Operation.objects.filter(pk=operation_id, state__in=ACTIVE_STATES, waiting_host=None)
        .filter(Q(run_after__isnull=True) | LessThanOrEqual(F("run_after"), Now()))
        .filter(Q(lease_expires_at__isnull=True) | Q(lease_expires_at__lt=Now()))
    )


class LeaseKeeper(threading.Thread):
    """Renews the leases of all operations this process works on, from one thread."""

    def __init__(self, *, every: float) -> None:
        super().__init__(name="lease-keeper", daemon=True)
        self.every = every
        self._leases: dict[UUID, Lease] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()

    @contextmanager
    def keeping(self, lease: Lease) -> Iterator[None]:
        """Renews `lease` until the block ends."""
        with self._lock:
            self._leases[lease.operation_id] = lease
        try:
            yield
        finally:
            with self._lock:
                # this process may have claimed the operation anew while it was still ending this run
                if self._leases.get(lease.operation_id) is lease:
                    del self._leases[lease.operation_id]

    def give_up_all(self) -> int:
        """Ends all leases of this process at once, so that others go on with the operations; how many.

        From here on nothing more is begun for them: each is lost here before anybody else can claim it.
        """
        with self._lock:
            leases = list(self._leases.values())
        for lease in leases:  # all of them first: the database may be away
            lease.lose()
        for lease in leases:
            Operation.objects.filter(pk=lease.operation_id, lease_token=lease.token).update(
                lease_expires_at=None, lease_owner="", run_after=None, published_at=None
            )
        return len(leases)

    def stop(self) -> None:
        """Ends the thread soon."""
        self._ended.set()

    def run(self) -> None:
        """Renews until stopped. A database that is away is tried again; meanwhile leases run out by themselves."""
        while not self._ended.wait(self.every):
            try:
                self.renew_all()
            except Exception as error:  # this thread must not end before its process
                log.warning("leases could not be renewed", error=str(error))
            finally:
                close_old_connections()
        connection.close()

    def renew_all(self) -> None:
        """Renews each lease, and tells those that are lost."""
        with self._lock:
            leases = list(self._leases.values())
        for lease in leases:
            if lease.outlasted:
                log.error("a step does not come to its end; its lease is let go", operation=str(lease.operation_id))
                lease.lose()
                continue
            asked_at = time.monotonic()
            # one that was handed back meanwhile has no end, and must not get one again: nobody could claim it
            held = Operation.objects.filter(
                pk=lease.operation_id, lease_token=lease.token, lease_expires_at__isnull=False
            )
            renewed = held.update(lease_expires_at=Now() + timedelta(seconds=lease.seconds))
            lease.extend(asked_at=asked_at) if renewed else lease.lose()
