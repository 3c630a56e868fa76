"""Runs operations in one process: claims each, drives it as far as it goes now, and tells when to look again."""

from collections.abc import Callable, Mapping
from datetime import datetime
from random import Random
from uuid import UUID

import structlog
from django.conf import settings

from clusters.models import Operation, OperationKind
from provisioning.drivers.clients import Clients
from provisioning.engine.context import StepContext
from provisioning.engine.flow import Flow
from provisioning.engine.lease import Claim, Lease, LeaseKeeper, Turns, lease_claim, lease_claim_next
from provisioning.engine.run import PASSED_ON, OperationRun

log = structlog.get_logger(__name__)


class Runner:
    """Does operations in this process. `notify(time)` is told when one is to be looked at again."""

    def __init__(
        self,
        *,
        flows: Mapping[OperationKind, Flow],
        clients: Clients,
        keeper: LeaseKeeper,
        owner: str,
        clock: Callable[[], datetime],
        random: Random,
        notify: Callable[[datetime], None] = lambda when: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.flows = flows
        self.clients = clients
        self.keeper = keeper
        self.owner = owner
        self.clock = clock
        self.random = random
        self.notify = notify
        self.stopping = stopping
        self.turns = Turns()

    def run(self, operation_id: UUID) -> None:
        """Works on this operation until it ends or must wait. Does nothing where it is not due or somebody has it."""
        lease = lease_claim(operation_id=operation_id, owner=self.owner, seconds=settings.LEASE_SECONDS)
        if lease is not None:
            self._work(Claim(Operation.objects.get(pk=operation_id), lease))

    def run_next(self, told: UUID | None = None) -> None:
        """Works on the operation whose turn it is, until it ends or must wait. Does nothing where none is due.

        `told` is the operation whose wake-up is the reason to look.
        """
        claim = lease_claim_next(owner=self.owner, seconds=settings.LEASE_SECONDS, turns=self.turns, told=told)
        if claim is not None:
            self._work(claim)

    def _work(self, claim: Claim) -> None:
        with self.keeper.keeping(claim.lease):
            try:
                self._drive(claim.operation, claim.lease)
            except PASSED_ON as error:
                log.warning("gave up an operation", operation=str(claim.operation.pk), reason=str(error))

    def _drive(self, operation: Operation, lease: Lease) -> None:
        flow = self.flows[OperationKind(operation.kind)]
        context = StepContext(operation=operation, lease=lease, clients=self.clients, clock=self.clock)
        run = OperationRun(self, flow, context)
        with structlog.contextvars.bound_contextvars(
            operation=str(operation.pk),
            kind=operation.kind,
            organization=str(operation.organization_id or ""),
            host=operation.host.name if operation.host else "",
            step="",
        ):
            goes_on = run.start()
            while goes_on:
                goes_on = run.next_step()
