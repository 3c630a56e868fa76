"""What a preflight reports, for people; and what they choose."""

from __future__ import annotations

import click
from rich.text import Text

from marina_cli.durations import span
from marina_cli.errors import CliError, UsageProblem
from marina_cli.output import console
from marina_cli.text import Json, clean, word

_MARKS = {"blocks": ("✗", "red"), "choice": ("?", "yellow"), "note": ("·", "bright_black")}
_ORDER = ("blocks", "choice", "note")

choose_option = click.option(
    "--choose", "chosen", metavar="NAME=OPTION", multiple=True, help="What its preflight asks for; may be repeated."
)


def choices_parse(chosen: tuple[str, ...]) -> dict[str, str]:
    """From NAME=OPTION, several times."""
    found = {}
    for text in chosen:
        name, given, option = text.partition("=")
        if not (name and given and option):
            raise UsageProblem(f"--choose {text!r} is no NAME=OPTION.")
        found[name] = option
    return found


def report_show(report: Json, *, err: bool) -> None:
    """The plan, then what was found: what blocks first, then what is to be chosen, then what is worth knowing."""
    out = console(err=err, wrap=True)
    for number, sentence in enumerate(report.get("plan") or (), start=1):
        out.print(Text(f"  {number}. ", style="bright_black").append(clean(str(sentence)), style="default"))
    for what, seconds in (report.get("expected") or {}).items():
        out.print(Text(f"  Expected: {clean(str(what))} for about {span(float(seconds))}.", style="bright_black"))
    findings = report.get("findings") or []
    for finding in sorted(findings, key=lambda each: _ORDER.index(each.get("weight", "note"))):
        out.print(_line(finding))
        if finding.get("hint"):
            out.print(Text(f"      {clean(str(finding['hint']))}", style="bright_black"))
    for name, options in _choices(findings).items():
        for option, meaning in options.items():
            out.print(Text(f"  --choose {name}={option}", style="bold").append(f"  {meaning}", style="default"))


def _line(finding: Json) -> Text:
    mark, style = _MARKS.get(str(finding.get("weight")), _MARKS["note"])
    line = Text(f"  {mark} {word(finding.get('about'))}: ", style=style)
    return line.append(clean(str(finding.get("message") or "")), style="default")


def _choices(findings: list[Json]) -> dict[str, dict[str, str]]:
    """Each that is to be made, once."""
    return {
        clean(str(each["choice"])): {clean(str(key)): clean(str(text)) for key, text in each["options"].items()}
        for each in findings
        if each.get("weight") == "choice"
    }


def report_check(report: Json, chosen: dict[str, str]) -> None:
    """CliError where it blocks, or where something is still to be chosen."""
    findings = report.get("findings") or []
    blocking = [each for each in findings if each.get("weight") == "blocks"]
    if blocking:
        first = blocking[0]
        raise CliError(clean(str(first.get("message"))), hint=clean(str(first.get("hint") or "")))
    for name, options in _choices(findings).items():
        if chosen.get(name) not in options:
            how = " or ".join(f"--choose {name}={option}" for option in options)
            raise CliError(f"{name} is still to be chosen.", hint=f"Say {how}.")
