"""What a step is given: its operation, the right to act, and the clients of the host it acts on."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db import connection, transaction
from django.db.models import Model
from django.db.models.functions import Now

from clusters.models import HostCluster, Operation, Placement, PlacementRole, VirtualCluster
from clusters.moving import PLACEMENT
from clusters.services.operations import operation_subject_lock
from provisioning.drivers.clients import Clients
from provisioning.drivers.helm import HelmClient
from provisioning.drivers.kube import KubeClient
from provisioning.engine.lease import Lease, LeaseLost

_FENCED = ("abort_requested", "message", "started_at", "lock_key")
"""What is read of the operation's row when it is locked: what others may have written, and where it belongs."""

_SAVE = """UPDATE clusters_operation o SET {changes}
WHERE id = %s AND lease_token = %s AND NOT abort_requested AND lease_expires_at > STATEMENT_TIMESTAMP()
RETURNING {returning}"""
_FOLLOWED = "EXISTS (SELECT FROM clusters_operation q WHERE q.lock_key = o.lock_key AND q.state = 'Queued')"
_FIELDS: dict[str, Any] = {field.name: field for field in Operation._meta.concrete_fields}


class StepContext:
    """Lives for one run of one operation. `now` is the clock; time is never asked of anything else."""

    role = PlacementRole.ACTIVE

    def __init__(self, *, operation: Operation, lease: Lease, clients: Clients, clock: Callable[[], datetime]) -> None:
        self.operation = operation
        self.lease = lease
        self.clients = clients
        self.clock = clock

    @property
    def now(self) -> datetime:
        """The time, from the clock that was passed in."""
        return self.clock()

    @property
    def params(self) -> dict[str, Any]:
        """What the operation was asked with."""
        params: dict[str, Any] = self.operation.params
        return params

    @property
    def virtual_cluster(self) -> VirtualCluster:
        """The cluster that the operation is about."""
        if self.operation.virtual_cluster is None:
            raise ValueError(f"{self.operation.kind} is about no virtual cluster")
        return self.operation.virtual_cluster

    @cached_property
    def placement(self) -> Placement:
        """The one that the operation names, else the active one. Placement.DoesNotExist before a host was chosen."""
        placements = Placement.objects.select_related("host__credential", "virtual_cluster__project")
        named = self.params.get(PLACEMENT)
        return placements.get(**({"pk": named} if named else self._active()))

    def _active(self) -> dict[str, Any]:
        return {"virtual_cluster": self.virtual_cluster, "role": self.role}

    def placement_anew(self) -> None:
        """Read the placement again: it is another one by now."""
        self.__dict__.pop("placement", None)

    def placed(self) -> Placement | None:
        """As `placement`; None where there is none."""
        try:
            return self.placement
        except Placement.DoesNotExist:
            return None

    def on_target(self) -> "StepContext":
        """The same for the placement to which the cluster moves."""
        return TargetContext(operation=self.operation, lease=self.lease, clients=self.clients, clock=self.clock)

    @property
    def host(self) -> HostCluster:
        """The host that the operation is about, or on which its cluster is placed."""
        return self.operation.host or self.placement.host

    def host_if_any(self, *, on_target: bool = False) -> HostCluster | None:
        """The host, or None where the operation has none (yet); with `on_target` the one to which its cluster moves."""
        context = self.on_target() if on_target else self
        try:
            return context.host
        except Placement.DoesNotExist:
            return None

    def kube(self) -> KubeClient:
        """The host's API."""
        return self.clients.kube(self.host, self.lease.check)

    def candidate(self) -> AbstractContextManager[KubeClient]:
        """The host's API by the credential that is still to be proved."""
        return self.clients.candidate(self.host, self.lease.check)

    def virtual(self) -> AbstractContextManager[KubeClient]:
        """The virtual cluster's API. TemporaryError until it is up."""
        return self.clients.virtual(self.placement, self.lease.check)

    def helm(self) -> HelmClient:
        """Helm on the host."""
        return self.clients.helm(self.host, self.lease.check)

    @contextmanager
    def fenced(self) -> Iterator[Operation]:
        """A transaction that holds the operation's row. LeaseLost where it was taken over, or the lease ran out.

        Every write of a worker goes through it, or through `save`. Gives the row as the database has it, in part.
        """
        with self.object_locked():
            yield self.row_locked()

    @contextmanager
    def object_locked(self) -> Iterator[None]:
        """A transaction that holds the object's row: it is locked first, as the services do it, so that a worker and a

        request never wait for each other.
        """
        with transaction.atomic():
            operation_subject_lock(self.operation)
            yield

    def row_locked(self) -> Operation:
        """The operation's row, locked until the transaction ends."""
        mine = Operation.objects.select_for_update().filter(pk=self.operation.pk, lease_token=self.lease.token)
        row = mine.filter(lease_expires_at__gt=Now()).only(*_FENCED).order_by().first()
        if row is None:
            raise LeaseLost(f"Operation {self.operation.pk} is no longer ours; nothing was written.")
        return row

    def save(self, *, due_in: float | None = None, **fields: Any) -> bool:
        """Writes to the operation's row in one statement, under the lease. False where that has to be done slowly:

        because somebody asked for its end meanwhile, or because the lease is gone; `fenced` tells which. `due_in` is
        when it is to be looked at again, in seconds by the database's clock.
        """
        return self._save(fields, due_in=due_in) is not None

    def save_end(self, **fields: Any) -> bool | None:
        """`save` of an operation's last state, under its object's lock: whether others are Queued for that object.

        None where it has to be done slowly.
        """
        row = self._save(fields, returning=_FOLLOWED)
        return None if row is None else bool(row[0])

    def _save(
        self, fields: dict[str, Any], *, due_in: float | None = None, returning: str = "true"
    ) -> tuple[Any, ...] | None:
        if due_in is not None:
            fields.pop("run_after", None)
        changes = [f'"{_FIELDS[name].column}" = %s' for name in fields]
        values = [_FIELDS[name].get_db_prep_save(value, connection) for name, value in fields.items()]
        if due_in is not None:
            changes.append("run_after = STATEMENT_TIMESTAMP() + %s * interval '1 second'")
            values.append(due_in)
        # by hand, because building such a statement costs many times what the database takes for it
        statement = _SAVE.format(changes=", ".join(changes), returning=returning)
        with connection.cursor() as cursor:
            cursor.execute(statement, [*values, self.operation.pk, self.lease.token])
            row: tuple[Any, ...] | None = cursor.fetchone()
            return row

    def write(self, row: Model, **fields: Any) -> None:
        """Writes these columns of a row, in memory and in the database, if the lease is still ours."""
        with self.fenced():
            type(row)._default_manager.filter(pk=row.pk).update(**fields)
        for name, value in fields.items():
            setattr(row, name, value)


class TargetContext(StepContext):
    """For steps on the host to which a cluster moves."""

    role = PlacementRole.TARGET


class PlacementContext(StepContext):
    """For steps on a given placement, whatever its role."""

    @classmethod
    def of(cls, context: StepContext, placement: Placement) -> "PlacementContext":
        """The same operation and lease."""
        made = cls(operation=context.operation, lease=context.lease, clients=context.clients, clock=context.clock)
        made.__dict__["placement"] = placement
        return made
