"""Days of many clusters in some seconds: the clock is passed in, operations are ended by hand, signals are a book."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Min, Q

from accounts.models import Notification
from clusters.lifecycle.signal import Signal, SignalKind, SignalState
from clusters.models import (
    CleanupItem,
    Operation,
    OperationKind,
    OperationState,
    VirtualCluster,
    VirtualClusterPhase,
)
from clusters.services.cleanup import sweep
from clusters.services.schedule_running import sleep_schedules_run

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
Event = tuple[str, float]
"""What happened, and on which day since the beginning."""


@dataclass
class Known:
    """What the book says of one cluster: its uses, and which signals cannot be told from when to when."""

    uses: list[tuple[datetime, SignalKind, str]] = field(default_factory=list)
    daily: bool = False
    unknown: Callable[[SignalKind, datetime], bool] = lambda kind, now: False
    stuck: tuple[datetime, datetime] | None = None
    """From when to when nobody looks inside."""
    ingress: bool = False
    """Whether its host reports traffic."""


class Book:
    """Tells of use as `signals_of` does."""

    def __init__(self, start: datetime) -> None:
        self.start = start
        self.known: defaultdict[UUID, Known] = defaultdict(Known)

    def __call__(
        self, clusters: Iterable[VirtualCluster], *, now: datetime | None = None
    ) -> Mapping[UUID, tuple[Signal, ...]]:
        assert now is not None
        return {
            each.pk: tuple(self._signal(self.known[each.pk], kind, now) for kind in SignalKind) for each in clusters
        }

    def _signal(self, known: Known, kind: SignalKind, now: datetime) -> Signal:
        if kind is SignalKind.CPU or (kind is SignalKind.INGRESS and not known.ingress):
            return Signal(kind, None, "", None, SignalState.UNSUPPORTED, "The host does not report it.")
        if known.unknown(kind, now):
            return Signal(kind, None, "", None, SignalState.UNKNOWN, "It does not answer.")
        uses = ((at, who) for at, of, who in known.uses if of is kind and at <= now)
        last: tuple[datetime | None, str] = max(uses, default=(None, ""))
        if known.daily and kind is SignalKind.GATEWAY_PERSON:
            last = (now - (now - self.start) % DAY, "somebody")
        return Signal(kind, *last, self._observed(known, kind, now), SignalState.KNOWN, "")

    def _observed(self, known: Known, kind: SignalKind, now: datetime) -> datetime:
        stuck = known.stuck
        inside = kind in (SignalKind.CHANGE, SignalKind.INGRESS)
        return stuck[0] if inside and stuck and stuck[0] <= now < stuck[1] else now


@dataclass
class Days:
    """Runs the schedules and the sweep hour by hour and notes what became of each cluster, and who was told."""

    start: datetime
    book: Book
    down: tuple[float, float] = (0, 0)
    """From which day to which nothing runs."""
    sweeps: int = 2
    """Schedulers that all want to sweep."""
    events: defaultdict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))
    planned: list[tuple[datetime, Callable[[datetime], Any]]] = field(default_factory=list)

    def on(self, day: float, do: Callable[[datetime], Any]) -> None:
        """Somebody does something on that day."""
        self.planned.append((self.start + day * DAY, do))

    def run(self, days: float, *, every: timedelta = HOUR) -> None:
        """Until so many days have passed."""
        now = self.start
        while now < self.start + days * DAY:
            for at, do in [each for each in self.planned if each[0] <= now]:
                do(now)
                self.planned.remove((at, do))
            operations_end(now)
            if not self.down[0] <= self.day(now) < self.down[1]:
                self._tick(now)
            operations_end(now)
            self._schedules_between(now, now + every)
            now += every

    def day(self, now: datetime) -> float:
        """Of the simulation."""
        return round((now - self.start) / DAY, 3)

    def _schedules_between(self, since: datetime, until: datetime) -> None:
        """Schedules act at their minute, however far sweeps are apart."""
        while (at := _due_next(since, until)) is not None:
            if not self.down[0] <= self.day(at) < self.down[1]:
                newest = _newest()
                self._schedules(at)
                self._note_schedules(at, newest)
                operations_end(at)
            since = at

    def _schedules(self, now: datetime) -> None:
        for _ in range(self.sweeps):
            sleep_schedules_run(now=now)

    def _tick(self, now: datetime) -> None:
        newest = _newest()
        self._schedules(now)
        before = CleanupItem.objects.count()
        for _ in range(self.sweeps):
            sweep(now=now, read_signals=self.book)
        items = list(CleanupItem.objects.order_by("id")[before:])
        done = [(item.virtual_cluster_id, item.action) for item in items]
        assert len(done) == len(set(done)), "two sweeps did one thing twice"
        self._note(now, items)
        self._note_schedules(now, newest)

    def _note(self, now: datetime, items: Iterable[CleanupItem]) -> None:
        for item in items:
            what = f"refused to {item.action}" if item.refused else item.action
            self.events[item.virtual_cluster.name].append((what, self.day(now)))

    def _note_schedules(self, now: datetime, newest: UUID | None) -> None:
        begun = Operation.objects.filter(kind__in=(OperationKind.SLEEP, OperationKind.WAKE, OperationKind.EXPORT))
        for operation in begun.filter(**{"pk__gt": newest} if newest else {}).order_by("id"):
            cluster = operation.virtual_cluster
            assert cluster is not None
            if operation.params.get("by") != "marina cleanup":
                self.events[cluster.name].append((f"schedule: {operation.kind}", self.day(now)))


def _newest() -> UUID | None:
    """The operation that was begun last."""
    return Operation.objects.order_by("-id").values_list("pk", flat=True).first()


def _due_next(since: datetime, until: datetime) -> datetime | None:
    """When a schedule acts next, between these two."""
    columns = ("next_sleep_at", "next_wake_at", "next_export_at")
    living = VirtualCluster.objects.exclude(phase=VirtualClusterPhase.DELETED)
    between = {column: Q(**{f"{column}__gt": since, f"{column}__lt": until}) for column in columns}
    found = living.aggregate(**{f"first_{column}": Min(column, filter=between[column]) for column in columns})
    return min((at for at in found.values() if at is not None), default=None)


def operations_end(now: datetime) -> None:
    """As workers would: each is done at once."""
    for operation in Operation.objects.filter(finished_at=None).select_related("virtual_cluster").order_by("id"):
        cluster = operation.virtual_cluster
        assert cluster is not None
        cluster.refresh_from_db()
        _effect(cluster, operation, now)
        operation.state, operation.finished_at = OperationState.SUCCEEDED, now
        operation.save()


def _effect(cluster: VirtualCluster, operation: Operation, now: datetime) -> None:
    if operation.kind == OperationKind.SLEEP:
        cluster.phase, cluster.sleeping, cluster.asleep_since = VirtualClusterPhase.ASLEEP, True, now
        cluster.asleep_by, cluster.asleep_why = operation.params["by"], operation.params["why"]
    elif operation.kind == OperationKind.WAKE:
        cluster.phase, cluster.sleeping, cluster.asleep_since = VirtualClusterPhase.READY, False, None
        cluster.asleep_by = cluster.asleep_why = ""
    elif operation.kind == OperationKind.DELETE:
        cluster.phase, cluster.deleted_at = VirtualClusterPhase.DELETED, now
    cluster.save()


def told(cluster: VirtualCluster, kind: str) -> list[str]:
    """Who was told, the first first."""
    rows = Notification.objects.filter(subject_id=str(cluster.pk), kind=kind).order_by("pk")
    return list(rows.values_list("recipient__handle", flat=True))
