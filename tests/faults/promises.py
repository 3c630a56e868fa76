"""What must hold of the rows at any moment, whoever asked for what and whatever failed."""

from collections import Counter
from typing import Any
from uuid import UUID

from django.db.models import F, Model

from clusters.models import (
    ACTIVE_STATES,
    HostSlot,
    Operation,
    OperationEvent,
    OperationKind,
    OperationState,
    Placement,
    PlacementRole,
    VirtualCluster,
    VirtualClusterPhase,
)
from clusters.sizes import SIZES
from provisioning.drivers.kinds import RESOURCE_QUOTA
from provisioning.engine.slots import slots_tidy
from tests.faults.small_marina import Harbor

Row = dict[str, Any]
FINAL = (OperationState.SUCCEEDED, OperationState.FAILED, OperationState.ABORTED)
ENDS_OF_A_WORKER = ("worker-ended",)
"""With what code an operation may fail here: too many of its workers were killed."""


def rows_of(*models: type[Model]) -> list[list[Row]]:
    """All columns of all rows."""
    return [list(model._default_manager.order_by("pk").values()) for model in models]


CHANGING = ("run_after", "published_at", "step_started_at", "changed_in", "announced_at")
"""What a moving clock changes in these tests; and when webhooks were told of an end, which another job notes."""


class Promises:
    """Looks again and again; remembers what it saw."""

    def __init__(self) -> None:
        self._tokens: dict[UUID, int] = {}
        self._ended: dict[UUID, Row] = {}

    def goes_on(self, operation_id: UUID) -> None:
        """Somebody had a failed one tried again."""
        self._ended.pop(operation_id, None)

    def look(self) -> None:
        """AssertionError for a promise that is broken."""
        (operations,) = rows_of(Operation)
        self._one_active_an_object(operations)
        self._tokens_grow(operations)
        self._what_ended_stays(operations)
        self._events_in_order()
        self._generations()
        self._placements()
        self._slots()

    def all_ended(self) -> None:
        """Once nothing is at work any more."""
        slots_tidy()
        assert not HostSlot.objects.filter(operation__isnull=False).exists(), "a slot is held by nobody"
        failed = Operation.objects.filter(state=OperationState.FAILED).exclude(error_code__in=ENDS_OF_A_WORKER)
        assert list(failed.values_list("kind", "error_code", "error_message")) == []
        held = Operation.objects.exclude(lease_expires_at=None)
        assert not held.exists(), "a lease outlives its operation"

    @staticmethod
    def _one_active_an_object(operations: list[Row]) -> None:
        active = Counter(row["lock_key"] for row in operations if row["state"] in ACTIVE_STATES)
        assert all(count == 1 for count in active.values()), active
        queued = {row["lock_key"] for row in operations if row["state"] == OperationState.QUEUED}
        assert queued <= active.keys(), "one is queued behind nobody"

    def _tokens_grow(self, operations: list[Row]) -> None:
        for row in operations:
            assert row["lease_token"] >= self._tokens.get(row["id"], 0), row
            self._tokens[row["id"]] = row["lease_token"]

    def _what_ended_stays(self, operations: list[Row]) -> None:
        for row in operations:
            if row["state"] in FINAL:
                assert row["finished_at"], row
                kept = {key: value for key, value in row.items() if key not in CHANGING}
                assert self._ended.setdefault(row["id"], kept) == kept
            else:
                assert row["finished_at"] is None, row
                assert row["id"] not in self._ended, f"it ended, and now it is {row['state']}"

    @staticmethod
    def _events_in_order() -> None:
        last: dict[UUID, Any] = {}
        for operation, time in OperationEvent.objects.order_by("id").values_list("operation_id", "time"):
            assert time >= last.get(operation, time), "an event is older than the one before it"
            last[operation] = time

    @staticmethod
    def _generations() -> None:
        ahead = VirtualCluster.objects.filter(observed_generation__gt=F("generation"))
        assert not ahead.exists(), "more was observed than was wanted"

    @staticmethod
    def _placements() -> None:
        rows = list(Placement.objects.values_list("virtual_cluster_id", "host_id", "namespace", "role"))
        active = [cluster for cluster, _, _, role in rows if role == PlacementRole.ACTIVE]
        assert len(active) == len(set(active)), "a cluster is active in two places"
        assert len(rows) == len({row[1:3] for row in rows}), "two clusters share a namespace"
        gone = VirtualCluster.objects.filter(phase=VirtualClusterPhase.DELETED, placements__isnull=False)
        assert not gone.exists(), "a deleted cluster has a place"

    @staticmethod
    def _slots() -> None:
        taken = HostSlot.objects.filter(operation__isnull=False).select_related("host", "operation")
        most = {slot.host_id: slot.host.concurrency for slot in taken}
        for host, count in Counter(slot.host_id for slot in taken).items():
            assert count <= most[host], f"{count} operations are at work where {most[host]} may be"
        if any(slot.operation and slot.operation.finished for slot in taken):
            slots_tidy()  # which puts right, within a second, what a worker could not do that was killed
            held = HostSlot.objects.exclude(operation__finished_at=None)
            assert not held.exists(), "an operation that ended holds a slot"


def all_as_wanted(ship: VirtualCluster, harbors: list[Harbor]) -> None:
    """Where its newest operation succeeded, nothing that was asked for is missing, in the rows or on its host."""
    newest = Operation.objects.filter(virtual_cluster=ship).latest("id")
    if newest.state != OperationState.SUCCEEDED or newest.kind == OperationKind.DELETE:
        return
    assert (ship.phase, ship.observed_generation) == (VirtualClusterPhase.READY, ship.generation)
    placement = Placement.objects.get(virtual_cluster=ship)
    (harbor,) = [each for each in harbors if each.row.pk == placement.host_id]
    with harbor.fake.cluster.lock:
        (quota,) = harbor.fake.cluster.store.each(RESOURCE_QUOTA, placement.namespace)
        hard = quota.value["spec"]["hard"]
    assert hard == SIZES[ship.size].quota_hard(replicas=ship.replicas)
