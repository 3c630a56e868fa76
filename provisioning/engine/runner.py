"""Runs an operation: claims it, does its steps in order, writes what came of each, hands it back when it must wait."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction

from clusters.dispatch import operation_wake
from clusters.models import Operation, OperationEvent, OperationKind, OperationState
from provisioning.drivers.clients import Clients
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError, StepError, TemporaryError
from provisioning.engine.flow import Flow, Skip, Step, StepResult, Wait
from provisioning.engine.lease import Lease, LeaseKeeper, LeaseLost, lease_claim

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

    def run(self, operation_id: UUID) -> None:
        """Works on the operation until it ends or must wait. Does nothing where it is not due or somebody has it."""
        lease = lease_claim(operation_id=operation_id, owner=self.owner, seconds=settings.LEASE_SECONDS)
        if lease is None:
            return
        with self.keeper.keeping(lease):
            try:
                self._drive(lease)
            except LeaseLost as lost:
                log.warning("gave up an operation", operation=str(operation_id), reason=str(lost))

    def _drive(self, lease: Lease) -> None:
        operation = Operation.objects.select_related(
            "host__credential", "virtual_cluster__project__organization", "requested_by"
        ).get(pk=lease.operation_id)
        flow = self.flows[OperationKind(operation.kind)]
        run = _Run(self, flow, StepContext(operation=operation, lease=lease, clients=self.clients, clock=self.clock))
        with structlog.contextvars.bound_contextvars(
            operation=str(operation.pk), kind=operation.kind, organization=str(operation.organization_id or "")
        ):
            run.start()
            while run.next_step():
                pass


class _Run:
    """One claim's work on one operation."""

    def __init__(self, runner: Runner, flow: Flow, context: StepContext) -> None:
        self.runner = runner
        self.flow = flow
        self.context = context
        self.operation = context.operation

    def start(self) -> None:
        """Writes the flow's steps when the operation is begun or tried again."""
        if self.operation.step_started_at is not None:
            return
        now = self.context.now
        names = [{"key": step.key, "name": step.name, "state": "waiting"} for step in self.flow.steps]
        steps = self.operation.steps or names
        current = self.flow.steps[self.operation.step]
        steps[self.operation.step] = _step_begun(current, now)
        with self.context.fenced() as row:
            self._save(row, steps=steps, step_started_at=now, started_at=row.started_at or now)
            self.flow.on_start(self.operation, now)

    def next_step(self) -> bool:
        """Does the current step. True where the next one can follow at once."""
        if self.operation.abort_requested:
            return self._end(OperationState.ABORTED, message=self.operation.message)
        if self.runner.stopping():
            return self._hand_back(after=0.0, message="The worker is stopping; another one goes on.")
        step = self.flow.steps[self.operation.step]
        with structlog.contextvars.bound_contextvars(step=step.key):
            try:
                result = self._attempt(step)
            except TemporaryError as error:
                return self._try_later(step, error)
            except PermanentError as error:
                return self._fail(step, error)
        if isinstance(result, Wait):
            return self._wait(step, result)
        return self._advance(step, result)

    def _attempt(self, step: Step) -> StepResult:
        try:
            return step.run(self.context)
        except (StepError, LeaseLost):
            raise
        except Exception as error:
            log.exception("a step ended unexpectedly")
            raise TemporaryError(
                f"Something unexpected went wrong ({type(error).__name__}).",
                code="unexpected",
                hint="It is tried again by itself. If it stays, the worker's log says more under this operation's id.",
            ) from error

    def _advance(self, step: Step, result: StepResult) -> bool:
        now = self.context.now
        steps, index = list(self.operation.steps), self.operation.step
        steps[index] = {**steps[index], "state": "done", "finished_at": now.isoformat()}
        if isinstance(result, Skip):
            steps[index]["note"] = result.why
        last = index + 1 == len(self.flow.steps)
        if not last:
            steps[index + 1] = _step_begun(self.flow.steps[index + 1], now)
        fields: dict[str, Any] = {"steps": steps, "step": index + 1, "attempt": 0}
        fields |= {"error_code": "", "error_message": "", "error_hint": ""}
        if last:
            return self._end(OperationState.SUCCEEDED, message="", **fields)
        with self.context.fenced() as row:
            self._save(row, step_started_at=now, message="", state=OperationState.PROCESSING, **fields)
        return True

    def _wait(self, step: Step, wait: Wait) -> bool:
        if self._overdue(step):
            return self._fail(step, PermanentError(self._overdue_text(step, wait.why), code="deadline"))
        return self._hand_back(after=wait.seconds, message=wait.why, attempt=0)

    def _overdue(self, step: Step) -> bool:
        started = self.operation.step_started_at
        return started is not None and self.context.now > started + timedelta(seconds=_deadline(step))

    @staticmethod
    def _overdue_text(step: Step, why: str) -> str:
        return f"“{step.name}” took longer than {_deadline(step):g} s. Last seen: {why}"

    def _try_later(self, step: Step, error: TemporaryError) -> bool:
        attempt = self.operation.attempt + 1
        if attempt >= settings.ATTEMPT_LIMIT:
            text = f"{error.message} (given up after {attempt} attempts)"
            return self._fail(step, PermanentError(text, code=error.code, hint=error.hint))
        if self._overdue(step):
            return self._fail(step, PermanentError(self._overdue_text(step, error.message), code=error.code))
        delay = error.retry_after or _delay(attempt, self.runner.random)
        self._event(step, "warning", f"Attempt {attempt}: {error.message}")
        return self._hand_back(
            after=delay,
            state=OperationState.ERROR,
            message=f"{error.message} Next attempt in {delay:.0f} s." if delay >= 1 else error.message,
            attempt=attempt,
            error_code=error.code,
            error_message=error.message,
            error_hint=error.hint,
        )

    def _fail(self, step: Step, error: PermanentError) -> bool:
        self._event(step, "error", error.message)
        steps, index = list(self.operation.steps), self.operation.step
        steps[index] = {**steps[index], "state": "failed", "finished_at": self.context.now.isoformat()}
        return self._end(
            OperationState.FAILED,
            message=f"“{step.name}” failed: {error.message}",
            steps=steps,
            error_code=error.code,
            error_message=error.message,
            error_hint=error.hint,
        )

    def _hand_back(self, *, after: float, message: str, **fields: Any) -> bool:
        """Gives the lease back; the waker brings the operation again after `after` seconds."""
        due = self.context.now + timedelta(seconds=after)
        fields.setdefault("state", OperationState.PROCESSING)
        with self.context.fenced() as row:
            due = self.context.now if row.abort_requested else due
            self._save(row, run_after=due, message=message, lease_expires_at=None, lease_owner="", **fields)
        self.runner.notify(due)
        return False

    def _end(self, state: OperationState, **fields: Any) -> bool:
        now = self.context.now
        hook = {
            OperationState.SUCCEEDED: self.flow.on_success,
            OperationState.FAILED: self.flow.on_failure,
            OperationState.ABORTED: self.flow.on_abort,
        }[state]
        with self.context.fenced() as row:
            self._save(row, state=state, finished_at=now, lease_expires_at=None, lease_owner="", **fields)
            hook(self.operation, now)
            _promote(row, now)
        log.info("operation ended", state=state, error=self.operation.error_message or None)
        return False

    def _event(self, step: Step, level: str, text: str) -> None:
        with self.context.fenced():
            OperationEvent.objects.create(
                operation=self.operation, time=self.context.now, step=step.key, level=level, text=text
            )

    def _save(self, row: Operation, **fields: Any) -> None:
        """Writes to the locked row and takes over what others may have written to it meanwhile."""
        self.operation.abort_requested = row.abort_requested
        Operation.objects.filter(pk=row.pk).update(**fields)
        for name, value in fields.items():
            setattr(self.operation, name, value)


def _step_begun(step: Step, now: datetime) -> dict[str, str]:
    return {"key": step.key, "name": step.name, "state": "current", "started_at": now.isoformat()}


def _promote(row: Operation, now: datetime) -> None:
    """Lets the object's oldest Queued operation begin."""
    if row.lock_key is None:
        return
    queued = Operation.objects.select_for_update().filter(lock_key=row.lock_key, state=OperationState.QUEUED)
    following = queued.order_by("id").first()
    if following:
        following.state = OperationState.PENDING
        following.run_after = following.published_at = now
        following.save(update_fields=["state", "run_after", "published_at"])
        transaction.on_commit(partial(operation_wake, following.pk))


def _deadline(step: Step) -> float:
    return step.deadline if step.deadline is not None else float(settings.STEP_DEADLINE_SECONDS)


def _delay(attempt: int, random: Random) -> float:
    """Exponential with jitter: between half and the whole of base x 2^(attempt-1), at most the cap; seconds."""
    whole = min(settings.RETRY_CAP_SECONDS, settings.RETRY_BASE_SECONDS * 2 ** (attempt - 1))
    return float(whole * random.uniform(0.5, 1.0))
