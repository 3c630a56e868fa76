"""What a step is given: its operation, the right to act, and the clients of the host it acts on."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db import transaction
from django.db.models import Model
from django.db.models.functions import Now

from clusters.models import HostCluster, Operation, Placement, PlacementRole, VirtualCluster
from clusters.services.operations import subject_lock
from provisioning.drivers.clients import Clients
from provisioning.drivers.helm import HelmClient
from provisioning.drivers.kube import KubeClient
from provisioning.engine.lease import Lease, LeaseLost


class StepContext:
    """Lives for one run of one operation. `now` is the clock; time is never asked of anything else."""

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
        """The cluster's active placement. Raises Placement.DoesNotExist before a host was chosen."""
        return Placement.objects.select_related("host", "host__credential").get(
            virtual_cluster=self.virtual_cluster, role=PlacementRole.ACTIVE
        )

    @property
    def host(self) -> HostCluster:
        """The host that the operation is about, or on which its cluster is placed."""
        return self.operation.host or self.placement.host

    def host_if_any(self) -> HostCluster | None:
        """The host, or None where the operation has none (yet)."""
        try:
            return self.host
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

        Every write of a worker goes through it. Gives the row as it is in the database. The object's row is locked
        first, as the services do it, so that a worker and a request never wait for each other.
        """
        with transaction.atomic():
            subject_lock(self.operation.virtual_cluster or self.operation.host)
            mine = Operation.objects.select_for_update().filter(pk=self.operation.pk, lease_token=self.lease.token)
            row = mine.filter(lease_expires_at__gt=Now()).first()
            if row is None:
                raise LeaseLost(f"Operation {self.operation.pk} is no longer ours; nothing was written.")
            yield row

    def save(self, **fields: Any) -> bool:
        """Writes to the operation's row in one statement, under the lease. False where that has to be done slowly:

        because somebody asked for its end meanwhile, or because the lease is gone; `fenced` tells which.
        """
        row = Operation.objects.filter(pk=self.operation.pk, lease_token=self.lease.token, abort_requested=False)
        return row.filter(lease_expires_at__gt=Now()).update(**fields) == 1

    def write(self, row: Model, **fields: Any) -> None:
        """Writes these columns of a row, in memory and in the database, if the lease is still ours."""
        with self.fenced():
            type(row)._default_manager.filter(pk=row.pk).update(**fields)
        for name, value in fields.items():
            setattr(row, name, value)
