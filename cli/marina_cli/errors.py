"""What can go wrong, as sentences for people and exit codes for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import IO, Any

import click

from marina_cli.text import clean


class ExitCode(IntEnum):
    """Scripts may rely on these numbers; README.md lists them."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    LOGIN = 3
    NOT_FOUND = 4
    CONFLICT = 5
    UNREACHABLE = 6
    TIMED_OUT = 7
    INTERRUPTED = 130


@dataclass(frozen=True)
class FieldError:
    """One thing the server found wrong with one field."""

    field: str
    message: str
    accepted: str = ""

    def beside(self, said: str) -> str:
        """This as a line below the sentence `said`, which it does not repeat."""
        sentence = f"Field {self.field}." if self.message == said else f"{self.field}: {self.message}"
        return f"{sentence} Accepted: {self.accepted}" if self.accepted else sentence


class CliError(click.ClickException):
    """Ends the command: a sentence, a hint at what to do, the fields concerned, and the exit code."""

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        fields: Sequence[FieldError] = (),
        exit_code: ExitCode = ExitCode.REFUSED,
        status: int = 0,
        code: str = "",
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.fields = tuple(fields)
        # click reads it from the instance; its annotation says class variable
        self.exit_code = int(exit_code)  # type: ignore[misc]
        self.status = status
        self.code = code

    def lines(self) -> list[str]:
        """What the user sees, line by line."""
        lines = [f"Error: {self.message}"]
        lines += [f"  {field.beside(self.message)}" for field in self.fields]
        lines += [f"Hint: {self.hint}"] if self.hint else []
        return lines

    def show(self, file: IO[Any] | None = None) -> None:
        """Print to stderr (or `file`), cleaned of what could steer a terminal."""
        for line in self.lines():
            click.echo(clean(line, keep_newlines=True), file=file, err=file is None)


class Unreachable(CliError):
    """The server did not answer; nothing is known about what it did."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint, exit_code=ExitCode.UNREACHABLE)


class Stopped(CliError):
    """The person ended it with Ctrl-C, which is no error."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint, exit_code=ExitCode.INTERRUPTED)

    def lines(self) -> list[str]:
        """The sentences alone."""
        return [self.message, *([self.hint] if self.hint else [])]


class UsageProblem(CliError):
    """The command line, or a file it names, cannot be used as it is."""

    def __init__(self, message: str, *, hint: str = "", fields: Sequence[FieldError] = ()) -> None:
        super().__init__(message, hint=hint, fields=fields, exit_code=ExitCode.USAGE)
