"""Operations as the API gives them, and how they read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime

from rich.text import Text

from marina_cli.durations import age, span, time_parse
from marina_cli.output import state_text
from marina_cli.text import Json, clean, word

ENDED = ("Succeeded", "Failed", "Aborted")


@dataclass(frozen=True)
class Step:
    """One step: the sentence the user reads, and how far it is. `note` says why there was nothing to do."""

    key: str
    name: str
    state: str
    note: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def took(self) -> str:
        """How long it took, or why nothing had to be done; empty while it is not over."""
        if self.note or not (self.started_at and self.finished_at):
            return self.note
        return span((self.finished_at - self.started_at).total_seconds())


@dataclass(frozen=True)
class Operation:
    """What the command needs of an operation; `raw` is the API's object."""

    id: str
    kind: str
    state: str
    message: str = ""
    error_message: str = ""
    error_hint: str = ""
    steps: tuple[Step, ...] = ()
    raw: Json = field(default_factory=dict, repr=False)

    @property
    def ended(self) -> bool:
        """Whether nothing will happen any more."""
        return self.state in ENDED

    @property
    def subject(self) -> str:
        """The name of what is worked on."""
        return word(self.raw.get("virtual_cluster") or self.raw.get("host_cluster"))

    @property
    def waiting_for_host(self) -> str:
        """The host whose slot or answer it waits for; empty while it waits for none."""
        host = self.raw.get("waiting_for_host")
        return word(host) if host else ""

    @property
    def progress(self) -> str:
        """How far it is, in a line: "3 of 7 steps, Install ... (usually 5.0 s)"; empty once it has ended."""
        if self.ended:
            return ""
        done = sum(step.state == "done" for step in self.steps)
        parts = [f"{done} of {len(self.steps)} steps"] if self.steps else ["not begun yet"]
        parts += [self.current.name] if self.current else []
        parts += [f"waiting for host {self.waiting_for_host}"] if self.waiting_for_host else []
        usual = self.raw.get("usual_seconds")
        return ", ".join(parts) + (f" (usually {span(float(usual))})" if usual else "")

    @property
    def left_behind(self) -> tuple[str, ...]:
        """One line for each object that it left on hosts."""
        return tuple(_left(each) for each in self.raw.get("left_behind") or ())

    @property
    def current(self) -> Step | None:
        """The step that is going on or failed."""
        return next((step for step in self.steps if step.state in ("current", "failed")), None)


def operation_read(raw: Json) -> Operation:
    """An operation from the API's object."""
    error = raw.get("error") or {}
    return Operation(
        id=str(raw.get("id", "")),
        kind=str(raw.get("kind", "")),
        state=str(raw.get("state", "")),
        message=clean(str(raw.get("message") or "")),
        error_message=clean(str(error.get("message") or "")),
        error_hint=clean(str(error.get("hint") or "")),
        steps=tuple(_step_read(step) for step in raw.get("steps") or ()),
        raw=raw,
    )


def _left(raw: Json) -> str:
    namespace = f", namespace {word(raw['namespace'])}" if raw.get("namespace") else ""
    return f"{word(raw.get('kind'))} {word(raw.get('name'))} on {word(raw.get('host'))}{namespace}"


def difference_lines(raw: Json) -> list[Text]:
    """What it changes of what it found, a line each."""
    lines = []
    for entry in raw.get("difference") or ():
        line = Text(f"  {word(entry.get('object'))}  ").append(
            clean(str(entry.get("path") or "")), style="bright_black"
        )
        before, after = (_value(entry.get(key)) for key in ("before", "after"))
        lines.append(line.append(f"  {before} → {after}", style="default"))
    return lines


def _value(value: object) -> str:
    return "nothing" if value is None else clean(value if isinstance(value, str) else json.dumps(value))


def _step_read(raw: Json) -> Step:
    return Step(
        key=str(raw.get("key", "")),
        name=clean(str(raw.get("name") or raw.get("key") or "")),
        state=str(raw.get("state", "")),
        note=clean(str(raw.get("note") or "")),
        started_at=time_parse(raw.get("started_at")),
        finished_at=time_parse(raw.get("finished_at")),
    )


def timeline(operation: Operation, now: datetime) -> Text:
    """The steps below each other: done with its duration, current with what it waits for, to come in grey."""
    width = max((len(step.name) for step in operation.steps), default=0)
    lines = [_step_line(operation, step, width, now) for step in operation.steps]
    if not operation.ended and operation.current is None:
        lines.append(Text("  ").append_text(state_text(operation.state)).append(f"  {operation.message}"))
    if operation.state == "Error":
        lines.append(_error_line(operation, now))
    return Text("\n").join(lines)


def _step_line(operation: Operation, step: Step, width: int, now: datetime) -> Text:
    name = step.name.ljust(width)
    if step.state == "done":
        return Text("  ✓ ", style="green").append(name, style="default").append(f"  {step.took}", style="bright_black")
    if step.state == "current":
        since = f"  {age(step.started_at, now)}" if step.started_at else ""
        line = Text("  ◐ ", style="yellow").append(name, style="bold default").append(since, style="yellow")
        return line.append(f"  {operation.message}".rstrip(), style="default")
    if step.state == "failed":
        line = Text("  ✗ ", style="red").append(name, style="bold default")
        return line.append(f"  {operation.error_message or operation.message}", style="red")
    return Text(f"  · {name.rstrip()}", style="bright_black")


def _error_line(operation: Operation, now: datetime) -> Text:
    again = time_parse(operation.raw.get("run_after"))
    wait = f" in {span((again - now).total_seconds())}" if again and again > now else ""
    reason = operation.error_message if operation.error_message != operation.message else ""
    line = Text(f"  ! {reason}".rstrip() + " ", style="red")
    return line.append(f"It will be tried again{wait} (attempt {word(operation.raw.get('attempt'))}).", style="default")
