"""Following an operation until it ends."""

from __future__ import annotations

import re
from typing import Protocol, Self

import click
from rich.live import Live
from rich.text import Text

from marina_cli.client import Api
from marina_cli.clock import Clock
from marina_cli.durations import span
from marina_cli.errors import CliError, ExitCode, Stopped, Unreachable
from marina_cli.operations import Operation, Step, operation_read, timeline
from marina_cli.output import console

FIRST_POLL = 0.3
LONGEST_POLL = 2.0


class View(Protocol):
    """What is shown while an operation goes on."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
    def show(self, operation: Operation) -> None:
        """Show its newest state."""

    def say(self, sentence: str) -> None:
        """Show a remark that does not come from the operation."""


class LiveTimeline:
    """The timeline redrawn in place, on a terminal."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._operation: Operation | None = None
        self._remark = ""
        self._live = Live(get_renderable=self._render, console=console(err=True, wrap=True), refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.__exit__(None, None, None)

    def show(self, operation: Operation) -> None:
        """Show its newest state from the next redraw on."""
        self._operation, self._remark = operation, ""

    def say(self, sentence: str) -> None:
        """Show a remark below the timeline until the next news."""
        self._remark = sentence

    def _render(self) -> Text:
        text = Text("")
        if self._operation:
            text.append(f"  {self._operation.progress}\n" if self._operation.progress else "", style="bright_black")
            text.append_text(timeline(self._operation, self._clock.now()))
        return text.append(f"\n  {self._remark}", style="yellow") if self._remark else text


class PlainLines:
    """One line for each change, where the output is no terminal; each behind `prefix`, where several are watched."""

    def __init__(self, clock: Clock, prefix: str = "") -> None:
        self._clock = clock
        self._prefix = prefix
        self._said: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to put away."""

    def show(self, operation: Operation) -> None:
        """Print what changed since the last time."""
        if operation.raw.get("usual_seconds") and not operation.ended:
            usual = span(float(operation.raw["usual_seconds"]))
            self._print("usual", f"{operation.kind} of {operation.subject} usually takes {usual}.")
        if operation.waiting_for_host and not operation.ended:
            self._print("host", f"Waiting for host {operation.waiting_for_host}.")
        for step in operation.steps:
            self._print(step.key, _plain_step(operation, step))
        if not operation.ended and operation.current is None and operation.message:
            self._print("operation", f"{operation.state}: {operation.message}")
        if operation.state == "Error":
            self._print("error", f"{operation.error_message or operation.message} It will be tried again.")

    def say(self, sentence: str) -> None:
        """Print the remark once."""
        self._print("remark", sentence)

    def _print(self, subject: str, line: str) -> None:
        # a sentence in which only a number goes up is no news
        unchanged = re.sub(r"\d+", "#", line)
        if line and self._said.get(subject) != unchanged:
            self._said[subject] = unchanged
            click.echo(f"{self._prefix}{line}", err=True)


def _plain_step(operation: Operation, step: Step) -> str:
    if step.state == "done":
        return f"{step.name}: done" + (f" ({step.took})" if step.took else "")
    if step.state == "current":
        return f"{step.name}: {operation.message}" if operation.message else f"{step.name} ..."
    return f"{step.name}: failed" if step.state == "failed" else ""


def view_for_terminal(clock: Clock) -> View:
    """The live timeline on a terminal, plain lines everywhere else."""
    return LiveTimeline(clock) if console(err=True).is_terminal else PlainLines(clock)


def operation_follow(
    operation: Operation, *, api: Api, clock: Clock, timeout: float | None, view: View | None = None
) -> Operation:
    """Show an operation until it ends and return how it ended.

    A server that does not answer is asked again until then. Raises CliError (7) after `timeout` seconds, Unreachable
    (6) where the server is away by then, and Stopped (130) on Ctrl-C: in all cases the work goes on.
    """
    try:
        with view or view_for_terminal(clock) as shown:
            return _poll(operation, shown, api, clock, timeout)
    except KeyboardInterrupt:
        raise Stopped(
            "Stopped watching; the work goes on.", hint=f"Watch it again with `marina op watch {operation.id}`."
        ) from None


def _poll(operation: Operation, view: View, api: Api, clock: Clock, timeout: float | None) -> Operation:
    start = clock.monotonic()
    pause = FIRST_POLL
    away: CliError | None = None
    view.show(operation)
    while not operation.ended:
        if timeout is not None and clock.monotonic() - start >= timeout:
            raise _given_up(operation, away, timeout) if away else timed_out(operation, timeout)
        clock.sleep(pause)
        pause = min(pause * 1.3, LONGEST_POLL)
        try:
            operation = operation_read(api.get(f"/operations/{operation.id}"))
        except CliError as error:
            if error.exit_code != ExitCode.UNREACHABLE:
                raise
            if away is None:
                view.say(f"The server does not answer: {error.message} Trying again; the work goes on.")
            away = error
        else:
            away = None
            view.show(operation)
    return operation


def _given_up(operation: Operation, away: CliError, timeout: float) -> Unreachable:
    return Unreachable(
        f"{away.message} Nothing was heard of {operation.kind} of {operation.subject} (operation {operation.id}) "
        f"within the {span(timeout)} of --timeout; the work goes on.",
        hint=f"When the server answers again, watch it with `marina op watch {operation.id}`.",
    )


def timed_out(operation: Operation, timeout: float) -> CliError:
    """That it did not end in time, where it is, and how to go on watching it."""
    doing = f" It is at: {operation.current.name}." if operation.current else ""
    why = f" {operation.message}".rstrip()
    return CliError(
        f"{operation.kind} of {operation.subject} did not end within {span(timeout)}; the work goes on.{doing}{why}",
        hint=f"Watch it with `marina op watch {operation.id}`.",
        exit_code=ExitCode.TIMED_OUT,
    )


def succeeded_or_raise(operation: Operation) -> Operation:
    """The operation if it succeeded; CliError (1) with its own reason and hint if it did not."""
    if operation.state == "Succeeded":
        return operation
    ended = "was aborted" if operation.state == "Aborted" else "failed"
    at = f" at “{operation.current.name}”" if operation.current and operation.state == "Failed" else ""
    reason = operation.error_message or operation.message
    hints = [operation.error_hint, _again(operation), _left_behind(operation)]
    raise CliError(
        f"{operation.kind} of {operation.subject} {ended}{at}: {reason}".rstrip(": "),
        hint=" ".join(hint for hint in hints if hint),
        code=str((operation.raw.get("error") or {}).get("code") or ""),
    )


def _left_behind(operation: Operation) -> str:
    count = len(operation.left_behind)
    return f"What it left on hosts ({count}) is listed by `marina op get {operation.id}`." if count else ""


def _again(operation: Operation) -> str:
    if operation.kind == "connect":
        # it is never retried: the credential it was given is gone
        name = operation.subject
        return f"Go on with `marina host renew {name} --kubeconfig FILE`, or `marina host disconnect {name}`."
    return "" if operation.state == "Aborted" else f"Try it again with `marina op retry {operation.id}`."
