"""Places for operations at work on a host, and who gets the next one.

A slot is taken when a worker begins to work on a host and is free again when it hands the operation back: waiting for
a cluster to start holds none. Whoever frees one gives it, in the same transaction, to whom it is fairest: the
organization with the fewest of them on that host, of these the one that had none for the longest, there the operation
that waits longest. So nobody polls, and one tenant's hundreds do not keep another's single one waiting. What a crash
leaves is put right by `slots_tidy`.
"""

from functools import partial
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, DateTimeField, F, Func, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce, Now

from clusters.dispatch import operation_wake
from clusters.models import ACTIVE_STATES, Breaker, HostCluster, HostSlot, Operation
from provisioning.engine.lease import Lease

_TAKE = """
UPDATE clusters_hostslot SET operation_id = %(operation)s, given_at = STATEMENT_TIMESTAMP(),
  organization_id = (SELECT organization_id FROM clusters_operation WHERE id = %(operation)s)
WHERE id = (
  SELECT id FROM clusters_hostslot
  WHERE host_id = %(host)s AND (operation_id = %(operation)s OR (operation_id IS NULL AND number < %(most)s))
  ORDER BY operation_id NULLS LAST, number LIMIT 1 FOR UPDATE SKIP LOCKED
) AND EXISTS (
  SELECT 1 FROM clusters_operation
  WHERE id = %(operation)s AND lease_token = %(token)s AND lease_expires_at > STATEMENT_TIMESTAMP()
)"""


class ClockTimestamp(Func):
    """The time at which it is reached, which moves on within a transaction."""

    function = "CLOCK_TIMESTAMP"
    output_field = DateTimeField()


def slot_take(*, lease: Lease, host_id: UUID, most: int) -> bool:
    """Takes one of the host's first `most` slots, or keeps the one the operation has; False where none is free.

    Only under a lease that is still valid, so that a worker that was frozen takes none for an operation that ended.
    """
    wanted: dict[str, UUID | int] = {
        "operation": lease.operation_id,
        "token": lease.token,
        "host": host_id,
        "most": most,
    }
    return _taken(wanted) or (_slots_made(host_id=host_id, most=most) and _taken(wanted))


def _taken(wanted: dict[str, UUID | int]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, wanted)
        return bool(cursor.rowcount)


def _slots_made(*, host_id: UUID, most: int) -> bool:
    """Makes the rows that are missing for a host, at its first operation or when its concurrency was raised."""
    if HostSlot.objects.filter(host=host_id, number=most - 1).exists():
        return False
    rows = [HostSlot(host_id=host_id, number=number) for number in range(most)]
    HostSlot.objects.bulk_create(rows, ignore_conflicts=True)
    return True


def slot_free(*, operation_id: UUID, host_id: UUID) -> None:
    """Gives the operation's slot back, and on to whoever waits. Call it in the transaction that hands it back."""
    HostSlot.objects.filter(operation=operation_id).update(operation=None)
    if waiting(host_id).exists():
        slots_grant(host_id=host_id)


def slot_host(*, operation_id: UUID) -> UUID | None:
    """On which host the operation has a slot, if on any."""
    return HostSlot.objects.filter(operation=operation_id).values_list("host", flat=True).first()


def waiting(host_id: UUID) -> QuerySet[Operation]:
    """The operations that wait for this host."""
    return Operation.objects.filter(waiting_host=host_id, state__in=ACTIVE_STATES)


@transaction.atomic
def slots_grant(*, host_id: UUID) -> int:
    """Gives free slots to those who wait, in the fairest order; how many. None while the host's breaker is open."""
    host = HostCluster.objects.filter(pk=host_id).values("breaker", "concurrency").first()
    if host is None or host["breaker"] == Breaker.OPEN:
        return 0
    _slots_made(host_id=host_id, most=host["concurrency"])
    free = _free(host_id, most=host["concurrency"])
    if host["breaker"] == Breaker.HALF_OPEN:  # one tries whether it is really back
        taken = HostSlot.objects.filter(host=host_id, operation__isnull=False).exists()
        free = [] if taken else free[:1]
    given = 0
    for slot in free:
        chosen = _fairest(host_id)
        if chosen is None:
            break
        HostSlot.objects.filter(pk=slot.pk).update(
            operation=chosen, organization=chosen.organization_id, given_at=ClockTimestamp()
        )
        _goes_on(chosen.pk)
        given += 1
    return given


def _free(host_id: UUID, *, most: int) -> list[HostSlot]:
    slots = HostSlot.objects.filter(host=host_id, operation=None, number__lt=most)
    return list(slots.select_for_update(skip_locked=True).order_by("number"))


def _fairest(host_id: UUID) -> Operation | None:
    """Locked until the transaction ends; one that somebody else works on just now is passed over."""
    theirs = HostSlot.objects.filter(host=host_id, organization=OuterRef("organization")).order_by()
    at_work = theirs.filter(operation__isnull=False).values("organization").annotate(count=Count("pk")).values("count")
    last = theirs.values("organization").annotate(last=Max("given_at")).values("last")
    return (
        waiting(host_id)
        .annotate(at_work=Coalesce(Subquery(at_work), 0), last=Subquery(last))
        .order_by("at_work", F("last").asc(nulls_first=True), "run_after", "pk")
        .select_for_update(of=("self",), skip_locked=True)
        .first()
    )


def _goes_on(operation_id: UUID) -> None:
    """Its turn has come. The time it waited does not count against its step's deadline."""
    row = Operation.objects.filter(pk=operation_id)
    row.update(step_started_at=F("step_started_at") + (Now() - Coalesce(F("run_after"), Now())))
    row.update(waiting_host=None, run_after=None, published_at=Now())
    transaction.on_commit(partial(operation_wake, operation_id))


def slots_tidy() -> None:
    """The safety net: frees what ended operations hold, and gives out what is free while somebody waits."""
    HostSlot.objects.filter(operation__isnull=False).exclude(operation__state__in=ACTIVE_STATES).update(operation=None)
    # a dead host may have many that wait, and is looked at again when it answers
    hosts = Operation.objects.filter(waiting_host__isnull=False, state__in=ACTIVE_STATES).exclude(
        waiting_host__breaker=Breaker.OPEN
    )
    for host_id in hosts.values_list("waiting_host", flat=True).distinct():
        if host_id is not None:
            slots_grant(host_id=host_id)
