"""Whether an operation may work on its host now: the host answers, and has a slot for it."""

from uuid import UUID

import structlog

from clusters.models import Breaker, HostCluster, HostSlot
from provisioning.engine.breaker import host_answered, host_failed
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.engine.flow import Flow, Step
from provisioning.engine.slots import slot_free, slot_host, slot_take

SILENT = ("unreachable", "timeout")
"""Codes of errors that may mean that the host is gone; they also come from a virtual cluster that just starts."""


class Admission:
    """One worker's stretch of work on a host, from the first step that needs it until it is handed back."""

    def __init__(self, flow: Flow, context: StepContext) -> None:
        self.flow = flow
        self.context = context
        self.host: HostCluster | None = None
        self.slot: UUID | None = None
        """The host of the slot that it holds."""
        self._asked: set[UUID] = set()
        self._on_trial: UUID | None = None
        """The host that is tried with its slot."""

    def enter(self, step: Step) -> str | None:
        """None where the step may be done; else why it has to wait for its host. Asks once a host and stretch.

        Only the first host of a stretch gives a slot: what moves between two hosts would else hold one of either and
        wait for the other's.
        """
        if not self.flow.breaker:
            return None
        host = self.context.host_if_any(on_target=step.on_target)
        self.host = host
        if host is None or host.pk in self._asked:  # none: such as a delete of what was never placed
            return None
        host.refresh_from_db(fields=["breaker", "concurrency", "answered_at"])
        if host.breaker == Breaker.OPEN and step.patient:
            return not_answering(host)
        if self.flow.slots and self.slot is None:
            why = self._slot(host)
            if why and step.patient:
                return why
        self._asked.add(host.pk)
        structlog.contextvars.bind_contextvars(host=host.name)
        return None

    def _slot(self, host: HostCluster) -> str | None:
        if any(step.on_target for step in (*self.flow.steps, *self.flow.undo)):
            self._other_slot_free(host)
        self._on_trial = host.pk if host.breaker == Breaker.HALF_OPEN else None
        others = HostSlot.objects.filter(host=host, operation__isnull=False).exclude(operation=self.context.operation)
        if self._on_trial and others.exists():
            return f"Host {host.name} answers again; another operation tries it first."
        if slot_take(lease=self.context.lease, host_id=host.pk, most=host.concurrency):
            self.slot = host.pk
            return None
        return f"Waiting for its turn on host {host.name}: {host.concurrency} operations are at work there."

    def _other_slot_free(self, host: HostCluster) -> None:
        """One that a dead worker held, or that it was given while it waited, on the other of its two hosts."""
        held = slot_host(operation_id=self.context.operation.pk)
        if held is not None and held != host.pk:
            with self.context.fenced():
                slot_free(operation_id=self.context.operation.pk, host_id=held)

    def silent(self, step: Step, error: TemporaryError) -> bool:
        """Whether the host itself is to blame for a step's error: it is asked once more, shortly.

        True where the operation has to wait for it; no attempt was used up then.
        """
        if self.host is None or error.code not in SILENT or not step.patient:
            return False
        self.context.lease.check()  # a worker that was frozen meanwhile asks nobody, and says nothing about the host
        now = self.context.now
        try:
            self.context.clients.ask_shortly(self.host)
        except TemporaryError as silence:
            if silence.code not in SILENT:
                return False
            host_failed(host_id=self.host.pk, why=f"{error.message} {silence.message}", now=now, certain=True)
            self.host.refresh_from_db(fields=["breaker", "answered_at"])
            return self.host.breaker == Breaker.OPEN
        except PermanentError:
            pass  # it refuses us, but it is there
        return False

    def well_done(self) -> None:
        """The stretch ended without the host failing: where it was on trial, it has passed."""
        if self._on_trial is not None and self._on_trial in self._asked:
            host_answered(host_ids=[self._on_trial], now=self.context.now)
            self._on_trial = None

    def not_answering(self) -> str:
        """What somebody who waits for the host is told."""
        return not_answering(self.host) if self.host else ""


def not_answering(host: HostCluster) -> str:
    """What somebody who waits for a host is told."""
    since = f" since {host.answered_at:%Y-%m-%d %H:%M:%S} UTC" if host.answered_at else ""
    return f"Host {host.name} has not answered{since}. It goes on by itself when the host is back."
