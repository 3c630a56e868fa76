"""Who writes inside virtual clusters: noted by the survey of changes, corrected by people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from accounts.access import actor_require
from accounts.errors import Conflict, InvalidInput
from accounts.services.audit import Actor
from clusters.lifecycle.bursts import bursts
from clusters.lifecycle.managers import SYSTEM, told_of, verdict_learnt
from clusters.lifecycle.signal import SignalKind
from clusters.models import ClusterUse, IdleSignal, KnownWriter, Verdict, VirtualCluster
from clusters.models.known_writer import COUNTS, MANAGER_LENGTH
from clusters.services.cluster_rows import virtual_cluster_audit
from clusters.services.idle_signals import Noted, idle_signals_write

MOST_WRITERS: Final = 200
"""So many are told apart in one cluster: whoever writes may call himself what he likes. The rest counts as inside."""
MOST_KINDS: Final = 20
CORRECTIONS: Final = (Verdict.PERSON, Verdict.CI, Verdict.INSIDE, Verdict.STEADY)
_COLUMNS: Final = ("last_write_at", "last_use_at", "wrote", "times", "kinds", "verdict")


@dataclass(frozen=True, kw_only=True)
class Written:
    """What one field manager wrote, as far as objects tell. `times` in seconds since 1970, in any order, not empty."""

    manager: str
    times: tuple[float, ...]
    wrote: str
    """The object that it wrote last."""
    kinds: tuple[str, ...]

    @property
    def last(self) -> datetime:
        """Of its newest write."""
        return datetime.fromtimestamp(max(self.times), UTC)


@transaction.atomic
def writers_note(*, virtual_cluster_id: UUID, written: Sequence[Written], observed_at: datetime) -> None:
    """Takes over what a survey found that began at `observed_at`: the writers, and by them the signal of change."""
    # one survey of a cluster at a time writes: the signal's row stands for it
    signal = IdleSignal.objects.select_for_update().filter(virtual_cluster=virtual_cluster_id, kind=SignalKind.CHANGE)
    list(signal)
    known = {row.manager: row for row in KnownWriter.objects.filter(virtual_cluster=virtual_cluster_id)}
    clients = _clients_seen(virtual_cluster_id)
    told_apart = _told_apart(written, known, clients)
    rows = [_row(virtual_cluster_id, each, known.get(each.manager), clients, observed_at) for each in told_apart]
    rows = _room_made(known, rows)
    KnownWriter.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["virtual_cluster", "manager"], update_fields=_COLUMNS
    )
    used = max((row for row in rows if row.last_use_at), key=lambda row: row.last_use_at or observed_at, default=None)
    noted = Noted(
        cluster_id=virtual_cluster_id,
        kind=SignalKind.CHANGE,
        last_used_at=used.last_use_at if used else None,
        who=_who(used) if used else "",
        observed_at=observed_at,
    )
    idle_signals_write(noted=[noted])


def _row(
    cluster_id: UUID,
    written: Written,
    known: KnownWriter | None,
    clients: Mapping[str, Verdict],
    observed_at: datetime,
) -> KnownWriter:
    """With what is learnt of it now. What counted once counts on, also when it is found to be steady later."""
    last = min(written.last, observed_at)  # objects may say anything: nothing was written later than now
    row = known or KnownWriter(
        virtual_cluster_id=cluster_id, manager=written.manager, first_seen_at=last, last_write_at=last
    )
    since = known.last_write_at.timestamp() if known else float("-inf")
    times = {min(each, observed_at.timestamp()) for each in written.times}
    row.times = bursts(row.times, {each for each in times if each > since})
    row.verdict = verdict_learnt(written.manager, times=row.times, clients=clients)
    row.kinds = sorted({*row.kinds, *written.kinds})[:MOST_KINDS]
    if last > row.last_write_at or not row.wrote:
        row.wrote = written.wrote[:400]
    row.last_write_at = max(row.last_write_at, last)
    if row.counts:
        row.last_use_at = row.last_write_at
    return row


def _told_apart(
    written: Sequence[Written], known: Mapping[str, KnownWriter], clients: Mapping[str, Verdict]
) -> list[Written]:
    """At most MOST_WRITERS of a cluster, those known first; whoever counts as use always, in whoever's place."""

    def counts(each: Written) -> bool:
        return verdict_learnt(each.manager, clients=clients) in COUNTS

    fitting = [each for each in written if each.times and 0 < len(each.manager) <= MANAGER_LENGTH]
    new = [each for each in fitting if each.manager not in known]
    new.sort(key=lambda each: (not counts(each), -max(each.times)))
    room = max(MOST_WRITERS - len(known), sum(map(counts, new[:MOST_WRITERS])))
    return sorted([each for each in fitting if each.manager in known] + new[:room], key=lambda each: each.manager)


def _room_made(known: Mapping[str, KnownWriter], rows: list[KnownWriter]) -> list[KnownWriter]:
    """The rows less those that make room for new ones, and are forgotten: of whom nobody said anything, first who

    never counted, then who wrote longest ago.
    """
    new = sum(row.manager not in known for row in rows)
    over = len(known) + new - MOST_WRITERS
    if over <= 0:
        return rows
    old = [row for row in known.values() if not row.corrected]
    old.sort(key=lambda row: (row.last_use_at is not None, row.last_write_at))
    forgotten = {row.pk for row in old[:over]}
    KnownWriter.objects.filter(pk__in=forgotten).delete()
    return [row for row in rows if row.pk not in forgotten]


def _clients_seen(cluster_id: UUID) -> dict[str, Verdict]:
    """Kinds of clients at the gateway: a person's where one person used it."""
    rows = ClusterUse.objects.filter(virtual_cluster=cluster_id, last_meant_at__isnull=False)
    seen: dict[str, Verdict] = {}
    for client, program in rows.values_list("client", "user__is_service_account"):
        if not program or client not in seen:
            seen[client] = Verdict.CI if program else Verdict.PERSON
    return seen


def _who(writer: KnownWriter) -> str:
    return f"{writer.manager}: {writer.wrote}" if writer.wrote else writer.manager


@transaction.atomic
def known_writer_correct(*, writer: KnownWriter, verdict: str | None, actor: Actor, now: datetime) -> KnownWriter:
    """Says whose a field manager is, whatever was learnt of it; None or "" takes that back.

    The signal of change is brought in line at once, also backwards. Raises InvalidInput for a verdict that nobody can
    give, and Conflict for managers of the system, whose writes never are use.
    """
    wanted = verdict or ""
    cluster = VirtualCluster.objects.select_related("project__organization").get(pk=writer.virtual_cluster_id)
    actor_require(actor, "virtualcluster.lifecycle", cluster)
    if wanted and wanted not in CORRECTIONS:
        raise InvalidInput(
            f"Nobody can say {wanted[:20]} of a writer.",
            field="verdict",
            accepted=f"one of {', '.join(CORRECTIONS)}, or null for what was learnt",
        )
    if told := told_of(writer.manager, SYSTEM):
        raise Conflict(f"{writer.manager} belongs to the system: {told}", hint="Its writes never count as use.")
    list(IdleSignal.objects.select_for_update().filter(virtual_cluster=cluster, kind=SignalKind.CHANGE))
    row = KnownWriter.objects.select_for_update().get(pk=writer.pk)
    before = row.corrected
    row.corrected, row.corrected_by, row.corrected_at = wanted, actor.user if wanted else None, now if wanted else None
    row.last_use_at = row.last_write_at if row.counts else None
    row.save(update_fields=["corrected", "corrected_by", "corrected_at", "last_use_at"])
    _signal_bring(cluster)
    virtual_cluster_audit(
        actor,
        "virtualcluster.writer.correct",
        cluster,
        details={"manager": row.manager, "before": {"verdict": before}, "after": {"verdict": wanted}},
    )
    return row


def _signal_bring(cluster: VirtualCluster) -> None:
    writers = KnownWriter.objects.filter(virtual_cluster=cluster, last_use_at__isnull=False)
    newest = writers.order_by("-last_use_at").first()
    IdleSignal.objects.filter(virtual_cluster=cluster, kind=SignalKind.CHANGE).update(
        last_used_at=newest.last_use_at if newest else None, who=_who(newest)[:200] if newest else ""
    )
