"""What ends a command that was shown a preflight's report: something in the way, or a choice that nobody made."""

from __future__ import annotations

from marina_cli.commands.report_views import choices_open, findings_of
from marina_cli.errors import CliError
from marina_cli.text import Json, clean


def report_check(name: str, report: Json, made: dict[str, str], *, done: str) -> None:
    """CliError where it would not begin. Of a look alone too, so that a script can tell by how that ended."""
    blocked_check(name, report, done=done)
    if still := choices_open(report, made):
        raise choices_missing(still, done=done)


def blocked_check(name: str, report: Json, *, done: str) -> None:
    """CliError where something is in the way. `done` is what was to be done with it: moved, upgraded."""
    if blocks := findings_of(report, "blocks"):
        raise CliError(
            f"{name} cannot be {done} so: {len(blocks)} thing{'s are' if len(blocks) > 1 else ' is'} in the way.",
            hint="Each says what to do about it. Nothing was done.",
            code="blocked",
        )


def choices_missing(still: dict[str, Json], *, done: str) -> CliError:
    """Names the choices, and the options that make them."""
    options = " ".join(f"--{clean(name)} {'|'.join(map(clean, options))}" for name, options in still.items())
    return CliError(
        f"Somebody has to choose before it is {done}: {', '.join(map(clean, still))}.",
        hint=f"Add: {options}",
        code="needs-choice",
    )
