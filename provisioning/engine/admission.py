"""Whether an operation may work on its host now: the host answers, and has a slot for it."""

from uuid import UUID

import structlog

from clusters.models import Breaker, HostCluster, HostSlot
from provisioning.engine.breaker import host_answered, host_failed
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.engine.flow import Flow
from provisioning.engine.slots import slot_take

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
        self._asked = False
        self._on_trial = False

    def enter(self) -> str | None:
        """None where the work may go on; else why it has to wait. Asks once a stretch."""
        if self._asked or not self.flow.breaker:
            return None
        self._asked = True
        host = self.context.host_if_any()
        if host is None:  # such as a delete of what was never placed
            return None
        host.refresh_from_db(fields=["breaker", "concurrency", "answered_at"])
        if host.breaker == Breaker.OPEN:
            return not_answering(host)
        if self.flow.slots:
            why = self._slot(host)
            if why:
                return why
        self.host = host
        structlog.contextvars.bind_contextvars(host=host.name)
        return None

    def _slot(self, host: HostCluster) -> str | None:
        self._on_trial = host.breaker == Breaker.HALF_OPEN
        others = HostSlot.objects.filter(host=host, operation__isnull=False).exclude(operation=self.context.operation)
        if self._on_trial and others.exists():
            return f"Host {host.name} answers again; another operation tries it first."
        if slot_take(lease=self.context.lease, host_id=host.pk, most=host.concurrency):
            self.slot = host.pk
            return None
        return f"Waiting for its turn on host {host.name}: {host.concurrency} operations are at work there."

    def silent(self, error: TemporaryError) -> bool:
        """Whether the host itself is to blame for a step's error: it is asked once more, shortly.

        True where the operation has to wait for it; no attempt was used up then.
        """
        if self.host is None or error.code not in SILENT:
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
        if self.host is not None and self._on_trial:
            host_answered(host_ids=[self.host.pk], now=self.context.now)
            self._on_trial = False

    def not_answering(self) -> str:
        """What somebody who waits for the host is told."""
        return not_answering(self.host) if self.host else ""


def not_answering(host: HostCluster) -> str:
    """What somebody who waits for a host is told."""
    since = f" since {host.answered_at:%Y-%m-%d %H:%M:%S} UTC" if host.answered_at else ""
    return f"Host {host.name} has not answered{since}. It goes on by itself when the host is back."
