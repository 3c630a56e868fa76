"""Seals audit rows that were committed, in segments per organization, and drops segments that were kept long enough."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction

from accounts.audit_digests import FORM, row_digest, segment_digest
from accounts.models import AuditChain, AuditEvent, AuditPolicy, AuditSeal, AuditSealedRow, AuditWaiting

log = structlog.get_logger(__name__)

SEGMENT_ROWS: Final = 500
"""A segment's most rows."""
SEGMENTS_A_RUN: Final = 40
"""So that one run takes seconds, however many rows wait; the next run goes on."""


def audit_seal() -> int:
    """Seals what waits, a bounded number of segments; how many rows were sealed.

    What is committed while it runs, or later than rows written after it, waits and is in a later segment. Runs at the
    same time take turns, organization by organization.
    """
    sealed = 0
    for _ in range(SEGMENTS_A_RUN):
        first = AuditWaiting.objects.order_by("event_id").first()
        if first is None:
            break
        sealed += audit_segment_seal(organization_id=first.organization_id)
    return sealed


@transaction.atomic
def audit_segment_seal(*, organization_id: UUID | None) -> int:
    """The next segment of this chain; how many rows it holds. 0, and no segment, where none waits."""
    AuditChain.objects.bulk_create([AuditChain(organization_id=organization_id)], ignore_conflicts=True)
    chain = AuditChain.objects.select_for_update().get(organization_id=organization_id)
    waiting = AuditWaiting.objects.filter(organization_id=organization_id).order_by("event_id")
    keys = list(waiting.values_list("event_id", flat=True)[:SEGMENT_ROWS])
    events = list(AuditEvent.objects.filter(pk__in=keys).order_by("id"))
    AuditWaiting.objects.filter(event_id__in=keys).delete()
    if events:
        _seal_write(chain, events)
    return len(events)


def _seal_write(chain: AuditChain, events: list[AuditEvent]) -> None:
    number, digests = chain.number + 1, [row_digest(event) for event in events]
    digest = segment_digest(organization_id=chain.organization_id, number=number, previous=chain.digest, rows=digests)
    seal = AuditSeal.objects.create(
        organization_id=chain.organization_id,
        number=number,
        count=len(events),
        first_event_id=events[0].pk,
        last_event_id=events[-1].pk,
        form=FORM,
        previous=chain.digest,
        digest=digest,
    )
    AuditSealedRow.objects.bulk_create(
        AuditSealedRow(event_id=event.pk, seal=seal, place=place, digest=each)
        for place, (event, each) in enumerate(zip(events, digests, strict=True), start=1)
    )
    AuditChain.objects.filter(pk=chain.pk).update(number=number, digest=digest)
    # kept with the logs, elsewhere, it shows also whether somebody rewrote a whole chain
    log.info("audit segment sealed", organization=str(chain.organization_id), number=number, digest=digest)


def audit_retain(*, now: datetime) -> int:
    """Drops the rows of segments older than AUDIT_RETENTION_DAYS, a bounded number of segments; how many rows.

    The seals stay. The database refuses what is younger than the number of days that `migrate` stored.
    """
    policy = AuditPolicy.objects.first()
    days = max(settings.AUDIT_RETENTION_DAYS, policy.retention_days if policy else 0)
    if not settings.AUDIT_RETENTION_DAYS or policy is None or not policy.retention_days:
        return 0
    old = AuditSeal.objects.filter(dropped_at=None, sealed_at__lt=now - timedelta(days=days))
    # by number: within a chain the database lets go of the oldest only
    return sum(_segment_drop(key) for key in old.order_by("number").values_list("pk", flat=True)[:SEGMENTS_A_RUN])


def _segment_drop(segment: UUID) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT audit_segment_drop(%s)", [segment])
        (dropped,) = cursor.fetchone() or (0,)
    return int(dropped)
