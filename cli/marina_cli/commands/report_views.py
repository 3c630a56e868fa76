"""How the report of a preflight is shown to people: what will be done, what is in the way, what there is to choose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from marina_cli.durations import span
from marina_cli.output import console
from marina_cli.text import Json, clean, word

GROUPS = (
    ("blocks", "In the way", "✗", "red"),
    ("choice", "To choose", "?", "yellow"),
    ("note", "Worth knowing", "•", "bright_black"),
)
"""Weight, heading, sign and style."""


def findings_of(report: Json, weight: str) -> list[Json]:
    """Those of one weight, in the report's own order."""
    return [each for each in report.get("findings") or () if each.get("weight") == weight]


def choices_open(report: Json, made: Json) -> dict[str, Json]:
    """By name of the choice its options: those for which nothing that is offered was chosen."""
    asked = {str(each.get("choice")): each.get("options") or {} for each in findings_of(report, "choice")}
    return {name: options for name, options in asked.items() if made.get(name) not in options}


def report_show(report: Json, made: Json, *, err: bool = False) -> None:
    """The whole of it. `made`: what was chosen already."""
    out = console(err=err, wrap=True)
    _section(out, "What will be done", (Text(clean(str(line))) for line in report.get("plan") or ()))
    for weight, heading, sign, style in GROUPS:
        lines = (line for each in findings_of(report, weight) for line in _finding(each, sign, style, made))
        _section(out, heading, lines)
    times = (report.get("expected") or {}).items()
    _section(out, "Expected", (Text(f"{clean(str(what))}: {span(float(seconds))}") for what, seconds in times))


def _section(out: Console, heading: str, lines: Iterable[Text]) -> None:
    listed = list(lines)
    if listed:
        out.print(Text(heading, style="bold" if out.is_terminal else ""))
        for line in listed:
            out.print(Padding(line, (0, 0, 0, 2)))


def _finding(finding: Json, sign: str, style: str, made: Json) -> Iterator[Text]:
    about, message = word(finding.get("about")), clean(str(finding.get("message") or ""))
    yield Text(f"{sign} ", style=style).append(message, style="default")
    if about != "-" and about not in message:
        yield Text(f"    {about}")
    if finding.get("hint"):
        yield Text(f"    {clean(str(finding['hint']))}", style="bright_black")
    name = str(finding.get("choice") or "")
    for option, means in (finding.get("options") or {}).items():
        chosen = " (chosen)" if made.get(name) == option else ""
        yield Text(f"    --{clean(name)} {clean(str(option))}{chosen}: ").append(clean(str(means)))
