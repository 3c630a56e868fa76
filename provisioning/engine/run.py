"""One claim's work on one operation: does its steps in order and writes what came of each."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models.functions import Now

from clusters.dispatch import operation_wake
from clusters.models import Operation, OperationEvent, OperationState
from clusters.services.operations import operation_superseded
from provisioning.engine.admission import Admission
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError, StepError, TemporaryError
from provisioning.engine.flow import Done, Flow, Hook, Skip, Step, StepResult, Wait, nothing
from provisioning.engine.lease import LeaseLost
from provisioning.engine.slots import slot_free, slot_host, slots_grant
from provisioning.failpoints import failpoint, failpoint_register

if TYPE_CHECKING:
    from provisioning.engine.runner import Runner

log = structlog.get_logger(__name__)

PASSED_ON = (LeaseLost, OperationalError, InterfaceError)
"""Where the lease or the database is gone nothing can be written; whoever takes the operation over goes on."""

failpoint_register("step.before", "step.after")

STUCK_SECONDS = 180.0
"""So long a call may go on after its step's deadline (helm's longest takes 120 s); then another worker takes over."""

WORKER_ENDED = TemporaryError(
    "The worker ended in the middle of this step.",
    code="worker-ended",
    hint="The worker's log and its memory limit may say why.",
)

_NO_ERROR: dict[str, Any] = {"error_code": "", "error_message": "", "error_hint": ""}
_WRITTEN = (
    "state",
    "steps",
    "step",
    "step_started_at",
    "started_at",
    "finished_at",
    "message",
    "attempt",
    "abort_requested",
    "undoing",
    *_NO_ERROR,
)

_OURS = frozenset({"state", "step", "message", "attempt", *_NO_ERROR})
"""Others write these only with a request to abort, which `save` refuses: until then what is known of them holds."""


class OperationRun:
    """`start`, then `next_step` as long as it says so."""

    def __init__(self, runner: "Runner", flow: Flow, context: StepContext) -> None:
        self.runner = runner
        self.flow = flow
        self.context = context
        self.operation = context.operation
        self.admission = Admission(flow, context)

    def start(self) -> bool:
        """Writes what has to be known before a step is done. False where none can follow now."""
        if self.operation.step_started_at is None and not self._begin():
            return False
        return self._taken_over() if self.context.lease.taken_over else True

    def _begin(self) -> bool:
        """Writes the flow's steps when the operation is begun or tried again. False where that did not succeed."""
        now, step = self.context.now, self._step()
        steps = self.operation.steps or _waiting(self.flow.steps)
        steps[self.operation.step] = _step_begun(step, now)
        fields: dict[str, Any] = {
            "steps": steps,
            "step_started_at": now,
            "started_at": self.operation.started_at or now,
        }
        if self.flow.on_start is nothing and self._save_at_once(**fields):
            return True
        try:
            with self.context.fenced() as row:
                self._save(row, **fields)
                self.flow.on_start(self.operation, now)
        except PASSED_ON:
            raise
        except Exception as error:
            self._reread()
            with self.context.fenced() as row:
                self._save(row, steps=steps)
            return self._try_later(step, _unexpected(error))
        return True

    def _taken_over(self) -> bool:
        """Counts the worker's end as an attempt: a step that kills its worker would kill one after the other for ever.

        A first time is nobody's fault (all workers may have been away for long), so the deadline counts from the
        second on.
        """
        step, error = self._step(), WORKER_ENDED
        if self.operation.abort_requested:
            return True
        attempt = self.operation.attempt + 1
        if attempt >= settings.ATTEMPT_LIMIT:
            return self._give_up(step, error, attempt)
        if attempt > 1 and self._overdue(step):
            return self._fail_overdue(step, error)
        with self.context.fenced() as row:
            self._save(row, event=self._event(step, "warning", error.message), attempt=attempt)
        return True

    def next_step(self) -> bool:
        """Does the current step. True where the next one can follow at once."""
        step = self._step()
        if self.operation.abort_requested:
            return self._aborted(step)
        if self.runner.stopping():
            return self._hand_back(after=0.0, message="The worker is stopping; another one goes on.")
        structlog.contextvars.bind_contextvars(step=step.key)
        why = self.admission.enter(step) if step.on_host else None
        if why is not None:
            return self._wait_for_host(why)
        self.context.lease.renewed_for(self._seconds_left(step) + STUCK_SECONDS)
        try:
            result = self._attempt(step)
        except TemporaryError as error:
            if self.admission.silent(step, error):
                event = self._event(step, "warning", error.message)
                return self._wait_for_host(self.admission.not_answering(), event=event)
            return self._try_later(step, error)
        except PermanentError as error:
            return self._fail(step, error)
        if isinstance(result, Wait):
            return self._wait(step, result)
        return self._advance(step, result)

    def _attempt(self, step: Step) -> StepResult:
        try:
            failpoint("step.before")
            result = step.run(self.context)
            failpoint("step.after")
            return result
        except (StepError, LeaseLost):
            raise
        except Exception as error:
            raise _unexpected(error) from error

    def _advance(self, step: Step, result: StepResult) -> bool:
        now = self.context.now
        steps, index = list(self.operation.steps), self.operation.step
        steps[index] = {**steps[index], "state": "done", "finished_at": now.isoformat()}
        if isinstance(result, Skip | Done):
            steps[index]["note"] = result.why
        last = index + 1 == len(steps)
        if not last:
            steps[index + 1] = _step_begun(self._steps[index + 1], now)
        fields: dict[str, Any] = {"steps": steps, "step": index + 1, "attempt": 0, **_NO_ERROR}
        if last:
            return self._end_reached(step, **fields)
        fields |= {"step_started_at": now, "message": "", "state": OperationState.PROCESSING}
        if not self._save_at_once(**fields):
            with self.context.fenced() as row:
                self._save(row, **fields)
        return True

    def _wait(self, step: Step, wait: Wait) -> bool:
        if self._overdue(step):
            return self._fail(step, PermanentError(self._overdue_text(step, wait.why), code="deadline"))
        return self._hand_back(after=wait.seconds, message=wait.why, attempt=0, **_NO_ERROR)

    def _overdue(self, step: Step) -> bool:
        return self._seconds_left(step) < 0

    def _seconds_left(self, step: Step) -> float:
        now = self.context.now
        return _deadline(step, self.operation) - (now - (self.operation.step_started_at or now)).total_seconds()

    def _overdue_text(self, step: Step, why: str) -> str:
        return f"“{step.name}” took longer than {_deadline(step, self.operation):g} s. Last seen: {why}"

    def _try_later(self, step: Step, error: TemporaryError) -> bool:
        attempt = self.operation.attempt + 1
        if attempt >= settings.ATTEMPT_LIMIT:
            return self._give_up(step, error, attempt)
        if self._overdue(step):
            return self._fail_overdue(step, error)
        delay = min(error.retry_after or _delay(attempt, self.runner.random), settings.RETRY_CAP_SECONDS)
        return self._hand_back(
            after=delay,
            event=self._event(step, "warning", f"Attempt {attempt}: {error.message}"),
            state=OperationState.ERROR,
            message=f"{error.message} Next attempt in {delay:.0f} s." if delay >= 1 else error.message,
            attempt=attempt,
            error_code=error.code,
            error_message=error.message,
            error_hint=error.hint,
        )

    def _give_up(self, step: Step, error: TemporaryError, attempt: int) -> bool:
        text = f"{error.message} (given up after {attempt} attempts)"
        return self._fail(step, PermanentError(text, code=error.code, hint=error.hint))

    def _fail_overdue(self, step: Step, error: TemporaryError) -> bool:
        return self._fail(step, PermanentError(self._overdue_text(step, error.message), code=error.code))

    def _fail(self, step: Step, error: PermanentError) -> bool:
        steps, index = list(self.operation.steps), self.operation.step
        steps[index] = {**steps[index], "state": "failed", "finished_at": self.context.now.isoformat()}
        before = f"{self.operation.undoing['message']} " if self.operation.undoing else ""
        return self._end_or_undo(
            step,
            OperationState.FAILED,
            event=self._event(step, "error", error.message),
            message=f"{before}“{step.name}” failed: {error.message}",
            steps=steps,
            error_code=error.code,
            error_message=error.message,
            error_hint=error.hint,
        )

    def _wait_for_host(self, why: str, event: OperationEvent | None = None) -> bool:
        """Hands the operation back until its host can take it: no attempt is used up, no worker looks at it."""
        host = self.admission.host or self.context.host
        fields = {"message": why, "state": OperationState.PROCESSING, "waiting_host": host, **_NO_ERROR}
        # since when it waits: by so much its step's deadline moves
        given_back = {"lease_expires_at": None, "lease_owner": "", "run_after": Now(), "published_at": None}
        with self.context.fenced() as row:
            if row.abort_requested:
                self.operation.abort_requested = True
                return True
            self._save(row, event=event, **fields, **given_back)
            slot_free(operation_id=row.pk, host_id=host.pk)
        log.info("operation waits for its host", why=why)
        slots_grant(host_id=host.pk)  # what was freed between our look and our waiting
        return False

    def _hand_back(self, *, after: float, message: str, event: OperationEvent | None = None, **fields: Any) -> bool:
        """Gives the lease back; the waker brings the operation again after `after` seconds."""
        # untold: what was published meanwhile found it taken
        given_back = {"lease_expires_at": None, "lease_owner": "", "published_at": None, "run_after": None}
        fields = {"state": OperationState.PROCESSING, **fields, "message": message, **given_back}
        due_in = after if after > 0 else None
        slowly = event is not None or self.admission.slot is not None or not self.flow.slots
        if slowly or not self._save_at_once(due_in=due_in, **fields):
            with self.context.fenced() as row:
                if due_in is not None and not row.abort_requested:
                    # by the database's clock, by which it is claimed
                    fields["run_after"] = Now() + timedelta(seconds=due_in)
                self._save(row, event=event, **fields)
                self._leave_host()
        self.admission.well_done()
        soon = due_in is None or self.operation.abort_requested
        self.runner.notify(self.context.now + timedelta(seconds=0 if soon else after))
        return False

    def _leave_host(self) -> None:
        """Gives the slot to the next one, in the transaction that hands the operation back or ends it."""
        host_id = self.admission.slot
        left = self.context.lease.taken_over or self.operation.abort_requested
        if host_id is None and (left or not self.flow.slots):
            host_id = slot_host(operation_id=self.operation.pk)  # a dead worker's, or given to it while it waited
        if host_id is not None:
            slot_free(operation_id=self.operation.pk, host_id=host_id)

    # What was done is put back

    @property
    def _steps(self) -> tuple[Step, ...]:
        """Those of the flow as far as it came, and after them those that put it back."""
        if self.operation.undoing is None:
            return self.flow.steps
        return self.flow.steps[: self.operation.undoing["after"]] + self.flow.undo

    def _step(self) -> Step:
        return self._steps[self.operation.step]

    def _aborted(self, at: Step) -> bool:
        if self.operation.undoing is None and not (self._past_return() and not operation_superseded(self.operation)):
            return self._end_or_undo(at, OperationState.ABORTED, message=self.operation.message)
        with self.context.fenced() as row:  # what puts things back, or tidies up, is not ended by anybody
            row.abort_requested = False
            if self.operation.undoing is None:
                told = self._event(at, "warning", "Nothing of it can be put back any more, so it goes on to its end.")
                self._save(row, event=told, abort_requested=False, message="")
            else:
                self._save(row, abort_requested=False)
        return True

    def _past_return(self) -> bool:
        """Whether its flow's `final` step is behind it."""
        return any(step["key"] == self.flow.final and step["state"] == "done" for step in self.operation.steps)

    def _end_or_undo(self, at: Step, state: OperationState, **fields: Any) -> bool:
        """Ends the operation, after its flow's `undo` where something was done that can be put back."""
        begun, undone = self.operation.started_at is not None, self.operation.undoing is not None
        if not self.flow.undo or undone or not begun or self._past_return():
            return self._end(at, state, **fields)
        return self._undo(at, state, fields)

    def _undo(self, at: Step, state: OperationState, fields: dict[str, Any]) -> bool:
        now, after = self.context.now, self.operation.step + 1
        self.context.placement_anew()  # where it was may be lost by now, which may be why it is put back
        done = list(fields.pop("steps", self.operation.steps))[:after]
        if done[-1]["state"] == "current":  # it was aborted before it, or while it waited in it
            done[-1] = _waiting([at])[0]
        steps = [*done, _step_begun(self.flow.undo[0], now), *_waiting(self.flow.undo[1:])]
        end = {name: fields.get(name, "") for name in ("message", *_NO_ERROR)}
        undoing = {"state": state, "after": after, **end}
        with self.context.fenced() as row:
            row.abort_requested = False
            self._save(
                row,
                event=fields.get("event"),
                undoing=undoing,
                abort_requested=False,
                state=OperationState.PROCESSING,
                message=f"{end['message']} What was done is put back.".strip(),
                **{"steps": steps, "step": after, "step_started_at": now, "attempt": 0, **_NO_ERROR},
            )
        log.info("operation is put back", error=end["error_message"] or None)
        return True

    def _end_reached(self, at: Step, **fields: Any) -> bool:
        """After the last step: Succeeded, or what it came to before it was put back."""
        undoing = self.operation.undoing
        if undoing is None:
            return self._end(at, OperationState.SUCCEEDED, message="", **fields)
        fields |= {name: undoing[name] for name in ("message", *_NO_ERROR)}
        return self._end(at, OperationState(undoing["state"]), **fields)

    def _end(self, at: Step, state: OperationState, **fields: Any) -> bool:
        if state != OperationState.SUCCEEDED:
            fields["left_behind"] = self._left_behind()
        hook = {
            OperationState.SUCCEEDED: self.flow.on_success,
            OperationState.FAILED: self.flow.on_failure,
            OperationState.ABORTED: self.flow.on_abort,
        }[state]
        try:
            self._end_write(state, hook, fields)
        except PASSED_ON:
            raise
        except Exception as error:
            temporary = _unexpected(error)
            self._reread()
            if state == OperationState.SUCCEEDED:
                return self._try_later(at, temporary)
            # it must end, even where its object cannot be told
            self._end_write(state, nothing, fields)
        self.admission.well_done()
        log.info("operation ended", state=state, error=self.operation.error_message or None)
        return False

    def _left_behind(self) -> list[dict[str, str]]:
        try:
            return self.flow.left_behind(self.context)
        except PASSED_ON:
            raise
        except Exception as error:  # an end must not fail for a list
            log.error("what was left behind could not be told", exc_info=error)
            return []

    def _end_write(self, state: OperationState, hook: Hook, fields: dict[str, Any]) -> None:
        now = self.context.now
        fields = {**fields, "state": state, "finished_at": now, "lease_expires_at": None, "lease_owner": ""}
        with self.context.object_locked():
            followed = None if "event" in fields else self.context.save_end(**self._news(fields))
            if followed is None:
                self._save(self.context.row_locked(), **fields)
            else:
                self._note(fields)
            hook(self.operation, now)
            self._leave_host()
            if followed is not False:
                _promote(self.operation.lock_key)

    def _event(self, step: Step, level: str, text: str) -> OperationEvent:
        return OperationEvent(operation=self.operation, time=self.context.now, step=step.key, level=level, text=text)

    def _save(self, row: Operation, event: OperationEvent | None = None, **fields: Any) -> None:
        """Writes to the locked row and takes over what others may have written to it meanwhile."""
        self.operation.abort_requested = row.abort_requested
        if row.abort_requested and "finished_at" not in fields:
            fields["message"] = row.message  # who asked for the end, and why, is kept until it has come
        Operation.objects.filter(pk=row.pk).update(**fields)
        if event is not None:
            event.pk = None
            event.save(force_insert=True)
        self._note(fields)

    def _save_at_once(self, *, due_in: float | None = None, **fields: Any) -> bool:
        """The common case in one statement. False where the slow way has to find out what is the matter."""
        news = self._news(fields)
        if not self.context.save(due_in=due_in, **news):
            return False
        self._note(news)
        return True

    def _news(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Without what the row has already."""
        known = {name for name in _OURS.intersection(fields) if getattr(self.operation, name) == fields[name]}
        return {name: value for name, value in fields.items() if name not in known}

    def _note(self, fields: dict[str, Any]) -> None:
        """What was written, in memory too."""
        for name, value in fields.items():
            setattr(self.operation, name, value)

    def _reread(self) -> None:
        """After a transaction that was rolled back: the operation as the database has it."""
        self.operation.refresh_from_db(fields=_WRITTEN)


def _unexpected(error: Exception) -> TemporaryError:
    log.error("a step ended unexpectedly", exc_info=error)
    return TemporaryError(
        f"Something unexpected went wrong ({type(error).__name__}).",
        code="unexpected",
        hint="It is tried again by itself. If it stays, the worker's log says more under this operation's id.",
    )


def _waiting(steps: Iterable[Step]) -> list[dict[str, str]]:
    return [{"key": step.key, "name": step.name, "state": "waiting"} for step in steps]


def _step_begun(step: Step, now: datetime) -> dict[str, str]:
    return {"key": step.key, "name": step.name, "state": "current", "started_at": now.isoformat()}


def _promote(lock_key: str | None) -> None:
    """Lets the object's oldest Queued operation begin."""
    if lock_key is None:
        return
    queued = Operation.objects.select_for_update().filter(lock_key=lock_key, state=OperationState.QUEUED)
    following = queued.order_by("id").values_list("pk", flat=True).first()
    if following is not None:
        Operation.objects.filter(pk=following).update(state=OperationState.PENDING, run_after=None, published_at=Now())
        transaction.on_commit(partial(operation_wake, following))


def _deadline(step: Step, operation: Operation) -> float:
    if step.deadline is None:
        return float(settings.STEP_DEADLINE_SECONDS)
    return float(step.deadline) if isinstance(step.deadline, float | int) else step.deadline(operation)


def _delay(attempt: int, random: Random) -> float:
    """Exponential with jitter: between half and the whole of base x 2^(attempt-1), at most the cap; seconds."""
    whole = min(settings.RETRY_CAP_SECONDS, settings.RETRY_BASE_SECONDS * 2 ** (attempt - 1))
    return float(whole * random.uniform(0.5, 1.0))
