"""Following several operations at once until the last of them ends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, Self

from rich.live import Live
from rich.text import Text

from marina_cli.client import Api
from marina_cli.clock import Clock
from marina_cli.errors import CliError, ExitCode, Stopped
from marina_cli.operations import Operation, operation_read
from marina_cli.output import console, state_text
from marina_cli.watch import FIRST_POLL, LONGEST_POLL, PlainLines

ASKED_AT_ONCE = 50
"""So many ids in one question, which has to fit into an address."""


class SeveralView(Protocol):
    """What is shown while several go on."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
    def show(self, operations: Iterable[Operation]) -> None:
        """Show their newest states."""

    def say(self, sentence: str) -> None:
        """Show a remark that does not come from an operation."""


class LiveList:
    """A line for each, redrawn in place, on a terminal."""

    def __init__(self) -> None:
        self._operations: list[Operation] = []
        self._remark = ""
        self._live = Live(get_renderable=self._render, console=console(err=True, wrap=True), refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.__exit__(None, None, None)

    def show(self, operations: Iterable[Operation]) -> None:
        """Show their newest states from the next redraw on."""
        self._operations, self._remark = list(operations), ""

    def say(self, sentence: str) -> None:
        """Show a remark below the lines until the next news."""
        self._remark = sentence

    def _render(self) -> Text:
        width = max((len(each.subject) for each in self._operations), default=0)
        lines = [_line(each, width) for each in self._operations]
        lines += [Text(f"  {self._remark}", style="yellow")] if self._remark else []
        return Text("\n").join(lines)


def _line(operation: Operation, width: int) -> Text:
    line = Text(f"  {operation.subject.ljust(width)}  ").append_text(state_text(operation.state))
    said = operation.error_message or operation.progress or operation.message
    return line.append(f"  {said}".rstrip(), style="bright_black")


class NamedLines:
    """One line for each change, behind the name of what is worked on, where the output is no terminal."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: dict[str, PlainLines] = {}
        self._own = PlainLines(clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to put away."""

    def show(self, operations: Iterable[Operation]) -> None:
        """Print what changed since the last time."""
        for each in operations:
            lines = self._lines.setdefault(each.id, PlainLines(self._clock, f"{each.subject}: "))
            lines.show(each)

    def say(self, sentence: str) -> None:
        """Print the remark once."""
        self._own.say(sentence)


def operations_follow(
    operations: Iterable[Operation], *, api: Api, clock: Clock, timeout: float, view: SeveralView | None = None
) -> list[Operation]:
    """Show operations until all have ended, or `timeout` seconds have passed; as they are then, in the same order.

    A server that does not answer is asked again until then. Raises Stopped (130) on Ctrl-C: the work goes on.
    """
    newest = {each.id: each for each in operations}
    view = view or (LiveList() if console(err=True).is_terminal else NamedLines(clock))
    try:
        with view as shown:
            _poll(newest, shown, api, clock, timeout)
    except KeyboardInterrupt:
        raise Stopped("Stopped watching; the work goes on.", hint="See how far it is with `marina op list`.") from None
    return list(newest.values())


def _poll(newest: dict[str, Operation], view: SeveralView, api: Api, clock: Clock, timeout: float) -> None:
    start, pause = clock.monotonic(), FIRST_POLL
    view.show(newest.values())
    while going_on := [key for key, each in newest.items() if not each.ended]:
        if clock.monotonic() - start >= timeout:
            return
        clock.sleep(pause)
        pause = min(pause * 1.3, LONGEST_POLL)
        try:
            for raw in _asked(api, going_on):
                operation = operation_read(raw)
                newest[operation.id] = operation
        except CliError as error:
            if error.exit_code != ExitCode.UNREACHABLE:
                raise
            view.say(f"The server does not answer: {error.message} Trying again; the work goes on.")
        else:
            view.show(newest.values())


def _asked(api: Api, keys: list[str]) -> Iterable[dict[str, object]]:
    for start in range(0, len(keys), ASKED_AT_ONCE):
        yield from api.pages("/operations", {"id": ",".join(keys[start : start + ASKED_AT_ONCE])})
