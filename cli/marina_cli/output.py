"""Printing objects: as a table for people, as JSON, YAML or names for scripts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click
import yaml
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from marina_cli.text import Json, clean, word

FORMATS = ("table", "wide", "json", "yaml", "name")
STYLES = {
    "good": ("●", "green"),
    "busy": ("◐", "yellow"),
    "asleep": ("☾", "blue"),
    "bad": ("✗", "red"),
    "unknown": ("○", "bright_black"),
}
MOODS = {
    "Ready": "good",
    "Connected": "good",
    "Succeeded": "good",
    "True": "good",
    "Asleep": "asleep",
    "Failed": "bad",
    "Error": "bad",
    "Aborted": "bad",
    "False": "bad",
    "Unknown": "unknown",
    "Deleted": "unknown",
}


@dataclass(frozen=True)
class Column:
    """One column of a table: its heading and how to get its cell from an object of the API."""

    heading: str
    cell: Callable[[Json], str]
    wide: bool = False
    state: bool = False


def output_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """The option `-o`."""
    return click.option(
        "--output",
        "-o",
        "form",
        type=click.Choice(FORMATS),
        default="table",
        show_default=True,
        help="How to print the result.",
    )(function)


def console(*, err: bool = False, wrap: bool = False) -> Console:
    """A console on stdout or stderr as they are now; it knows NO_COLOR and what is no terminal.

    With `wrap` it breaks long lines itself, which it must where it redraws them.
    """
    return Console(stderr=err, highlight=False, markup=False, emoji=False, soft_wrap=not wrap)


def state_text(state: str, mood: str = "") -> Text:
    """A state with icon, word and colour: of `mood`, else its usual ones; what is not listed is work going on."""
    # a host's phase may have a remark behind it: "Connected, cordoned"
    mood = mood or MOODS.get(state.partition(",")[0], "busy" if state not in ("", "-") else "unknown")
    icon, style = STYLES[mood]
    return Text(f"{icon} {clean(state)}", style=style)


def print_data(data: Any, form: str) -> None:
    """Print for scripts: exactly what the API said."""
    if form == "json":
        click.echo(json.dumps(data, indent=2))
    else:
        click.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), nl=False)


def print_list(items: Sequence[Json], form: str, columns: Sequence[Column], *, empty: str, name: str = "name") -> None:
    """Print a list; where it is empty, people read the sentence `empty` on stderr and scripts nothing."""
    if form in ("json", "yaml"):
        print_data(list(items), form)
    elif form == "name":
        for item in items:
            click.echo(word(item.get(name)))
    elif items:
        print_table(items, [column for column in columns if form == "wide" or not column.wide])
    else:
        click.echo(empty, err=True)


def print_one(item: Json, form: str, people: Callable[[Json], None], *, name: str = "name") -> None:
    """Print one object; `people` prints it as table and wide."""
    if form in ("json", "yaml"):
        print_data(item, form)
    elif form == "name":
        click.echo(word(item.get(name)))
    else:
        people(item)


def print_table(items: Sequence[Json], columns: Sequence[Column]) -> None:
    """Aligned columns; nothing is cut, whatever the width of the terminal."""
    out = console()
    rows = [[Text(column.heading, style="bold" if out.is_terminal else "") for column in columns]]
    rows += [[_cell(column, item, out.is_terminal) for column in columns] for item in items]
    widths = [max(cell_len(row[index].plain) for row in rows) for index in range(len(columns))]
    for row in rows:
        line = Text()
        for cell, width in zip(row, widths, strict=True):
            line.append_text(cell).append(" " * (width - cell_len(cell.plain) + 3))
        line.rstrip()
        out.print(line)


def _cell(column: Column, item: Json, terminal: bool) -> Text:
    text = column.cell(item)
    return state_text(text) if column.state and terminal else Text(clean(text))


def print_fields(fields: Sequence[tuple[str, str]]) -> None:
    """`name   value` lines below a heading; empty values are left out."""
    shown = [(name, value) for name, value in fields if value and value != "-"]
    width = max((len(name) for name, _ in shown), default=0)
    out = console()
    for name, value in shown:
        out.print(Text(f"  {name.ljust(width)}  ", style="bright_black").append(clean(value), style="default"))


def note(sentence: str) -> None:
    """Say something to the person on stderr, where it does not mix with the result."""
    click.echo(clean(sentence, keep_newlines=True), err=True)
