"""Looks whether the audit log is as it was sealed, and says in sentences what is not."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, Exists, Min, OuterRef

from accounts.audit_digests import FORM, row_digest, segment_digest
from accounts.models import AuditChain, AuditEvent, AuditSeal, AuditSealedRow, AuditWaiting, Organization

_SEALS_AT_ONCE: Final = 100


@dataclass(frozen=True)
class UnsealedTail:
    """Rows of one chain that no segment holds yet: a change of them would not show."""

    whose: str
    count: int
    since: datetime

    def __str__(self) -> str:
        rows = "1 row is" if self.count == 1 else f"{self.count} rows are"
        return f"{self.whose}: {rows} not sealed yet, since {self.since:%Y-%m-%d %H:%M:%S} UTC."


@dataclass(frozen=True)
class AuditState:
    """What was found: `damages` are sentences, each about one thing; empty where all is as it was sealed."""

    segments: int
    rows: int
    dropped: int
    damages: list[str]
    tails: list[UnsealedTail]


def audit_verify(*, organization_ids: Sequence[UUID | None] | None = None) -> AuditState:
    """Computes every digest again, of the chains of these organizations (None among them: the platform's), else all.

    Rows that are written meanwhile do no harm. Segments whose rows were dropped are known by their seals only.
    """
    with _as_of_now():
        return _state(organization_ids)


@contextmanager
def _as_of_now() -> Iterator[None]:
    """Every query sees the same moment, so that sealing and dropping meanwhile look like no damage."""
    nested = connection.in_atomic_block
    with transaction.atomic():
        if not nested:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _state(organization_ids: Sequence[UUID | None] | None) -> AuditState:
    names = dict(Organization.objects.values_list("pk", "name"))
    damages: list[str] = []
    seals: list[AuditSeal] = []
    chains = _chains(organization_ids)
    for key in chains:
        own = list(AuditSeal.objects.filter(organization_id=key).order_by("number"))
        whose = _whose(key, names)
        damages += [*_chain_damages(key, own, whose), *_row_damages(own, whose)]
        seals += own
    damages += _strays(chains, names)
    kept = [seal for seal in seals if seal.dropped_at is None]
    return AuditState(
        segments=len(seals),
        rows=sum(seal.count for seal in kept),
        dropped=len(seals) - len(kept),
        damages=damages,
        tails=_tails(chains, names),
    )


def _chains(chosen: Sequence[UUID | None] | None) -> list[UUID | None]:
    if chosen is not None:
        return list(chosen)
    found: set[UUID | None] = set()
    for model in (AuditChain, AuditSeal, AuditEvent):
        found |= set(model.objects.order_by().values_list("organization_id", flat=True).distinct())
    return sorted(found, key=str)


def _whose(key: UUID | None, names: dict[UUID, str]) -> str:
    return "The platform" if key is None else names.get(key, f"Organization {key}")


def _chain_damages(key: UUID | None, seals: list[AuditSeal], whose: str) -> Iterator[str]:
    """Seals that are missing or do not hold the one before."""
    number, digest, kept = 0, "", False
    for seal in seals:
        missing = [str(each) for each in range(number + 1, seal.number)]
        if missing:
            yield f"{whose}: the seal of segment {', '.join(missing)} is missing."
        elif seal.previous != digest:
            yield f"{whose}: segment {seal.number} does not hold the digest of the one before."
        if seal.dropped_at is not None and kept:
            yield f"{whose}: segment {seal.number} was dropped before an older one."
        number, digest, kept = seal.number, seal.digest, kept or seal.dropped_at is None
    chain = AuditChain.objects.filter(organization_id=key).first()
    last = seals[-1] if seals else None
    if chain is None and last is not None:
        yield f"{whose}: the note of how many segments were sealed is missing."
    elif chain is not None and chain.number > (last.number if last else 0):
        left = f"ends with segment {last.number}" if last else "has no seal left"
        yield f"{whose}: the chain {left}, but {chain.number} were sealed."
    elif chain is not None and last is not None and chain.number == last.number and chain.digest != last.digest:
        yield f"{whose}: the last seal, of segment {last.number}, is not the one that was written."


def _row_damages(seals: list[AuditSeal], whose: str) -> Iterator[str]:
    """Rows that were changed or removed, and segments that are not what their seals say."""
    kept = [seal for seal in seals if seal.dropped_at is None]
    for start in range(0, len(kept), _SEALS_AT_ONCE):
        some = kept[start : start + _SEALS_AT_ONCE]
        sealed: dict[UUID, list[AuditSealedRow]] = {seal.pk: [] for seal in some}
        for row in AuditSealedRow.objects.filter(seal__in=some).order_by("place"):
            sealed[row.seal_id].append(row)
        events = AuditEvent.objects.in_bulk([row.event_id for rows in sealed.values() for row in rows])
        for seal in some:
            yield from _segment_damages(seal, sealed[seal.pk], events, whose)


def _segment_damages(
    seal: AuditSeal, rows: list[AuditSealedRow], events: dict[UUID, AuditEvent], whose: str
) -> Iterator[str]:
    segment = f"segment {seal.number}"
    if seal.form != FORM:
        yield f"{whose}: {segment} was sealed in form {seal.form}, which this version does not know."
        return
    for row in rows:
        event = events.get(row.event_id)
        if event is None:
            yield f"{whose}: row {row.event_id} is missing; it was number {row.place} of {segment}."
        elif event.organization_id != seal.organization_id or row_digest(event) != row.digest:
            yield f"{whose}: row {row.event_id} ({event}) was changed after it was sealed in {segment}."
    if len(rows) != seal.count:
        yield f"{whose}: {segment} was sealed with {seal.count} rows, and {len(rows)} of them are known."
    written = segment_digest(
        organization_id=seal.organization_id,
        number=seal.number,
        previous=seal.previous,
        rows=[row.digest for row in rows],
    )
    if written != seal.digest:
        yield f"{whose}: the digest of {segment} is not that of its rows."


def _strays(chains: list[UUID | None], names: dict[UUID, str]) -> Iterator[str]:
    """Rows that no segment holds and that do not wait for one: something took them out."""
    sealed = AuditSealedRow.objects.filter(event_id=OuterRef("pk"))
    waiting = AuditWaiting.objects.filter(event_id=OuterRef("pk"))
    for event in AuditEvent.objects.filter(~Exists(sealed), ~Exists(waiting)).order_by("id").iterator():
        if event.organization_id in chains:
            whose = _whose(event.organization_id, names)
            yield f"{whose}: row {event.pk} ({event}) is in no segment and does not wait for one."


def _tails(chains: list[UUID | None], names: dict[UUID, str]) -> list[UnsealedTail]:
    waiting = AuditWaiting.objects.filter(event_id=OuterRef("pk"))
    found = (
        AuditEvent.objects.filter(Exists(waiting))
        .order_by()
        .values("organization_id")
        .annotate(count=Count("pk"), since=Min("created_at"))
    )
    return [
        UnsealedTail(_whose(each["organization_id"], names), each["count"], each["since"])
        for each in sorted(found, key=lambda each: str(each["organization_id"]))
        if each["organization_id"] in chains
    ]
