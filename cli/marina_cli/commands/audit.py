"""`marina audit`: who did what to what, for who may read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from marina_cli.durations import age, second
from marina_cli.given import moment_given
from marina_cli.output import Column, note, output_option, print_list
from marina_cli.private_file import private_file_opened
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, word

_PATH = "/audit-events"


def columns(now: datetime) -> tuple[Column, ...]:
    """The columns of `marina audit list`."""
    return (
        Column("TIME", lambda item: second(item.get("created_at")), wide=True),
        Column("AGE", lambda item: age(item.get("created_at"), now)),
        Column("ACTOR", lambda item: word(item.get("actor"))),
        Column("ACTION", lambda item: word(item.get("action"))),
        Column("OBJECT", _object),
        Column("RESULT", lambda item: word(item.get("result"))),
        Column("SOURCE", lambda item: word(item.get("source"))),
        Column("ADDRESS", lambda item: word(item.get("address")), wide=True),
        Column("TOKEN", lambda item: word(item.get("token_prefix")), wide=True),
        Column("CHANGED", _changed, wide=True),
        Column("ID", lambda item: word(item.get("id")), wide=True),
    )


def _object(item: Json) -> str:
    return f"{word(item.get('object_kind'))} {word(item.get('object_name') or item.get('object_id'))}"


def _changed(item: Json) -> str:
    after, before = item.get("after") or {}, item.get("before") or {}
    return ", ".join(f"{key}: {word(before.get(key))} -> {word(value)}" for key, value in after.items()) or "-"


def filter_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which rows are chosen; received as the API's parameters, in `chosen`."""
    options = (
        click.option("--organization", metavar="ORG", help="Only rows of this organization."),
        click.option("--actor", metavar="HANDLE", help="Only what this person, or part of Marina, did."),
        click.option("--action", metavar="ACTION", help="Only this action, or those that begin so: `project.*`."),
        click.option("--kind", metavar="KIND", help="Only objects of this kind, such as virtual-cluster."),
        click.option("--object", "object_id", metavar="ID", help="Only this object."),
        click.option("--result", type=click.Choice(["ok", "denied", "failed"]), help="Only what ended so."),
        click.option("--since", metavar="WHEN", help="From then on: 2h, 7d, or a time like 2026-11-23T10:00:00Z."),
        click.option("--until", metavar="WHEN", help="Before then, written likewise."),
        click.option("--search", metavar="TEXT", help="Only rows with this in actor, action or object."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def _chosen(session: Session, given: dict[str, Any]) -> dict[str, str]:
    names = {"kind": "object_kind"}
    chosen = {names.get(key, key): str(value) for key, value in given.items() if value}
    for name in ("since", "until"):
        if name in chosen:
            chosen[name] = moment_given(chosen[name], f"--{name}", session.clock.now())
    return chosen


@click.group()
def audit() -> None:
    """Who did what to what: for auditors and admins of an organization, and for platform staff."""


@audit.command("list")
@filter_options
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="At most so many rows.")
@output_option
@pass_session
def audit_list(session: Session, /, limit: int, form: str, **given: Any) -> None:
    """List rows of the audit log, newest first."""
    items = list(session.api.pages(_PATH, _chosen(session, given), limit=limit))
    print_list(items, form, columns(session.clock.now()), empty="No row of the audit log is like that.", name="id")


@audit.command("export")
@filter_options
@click.option("--output", metavar="FILE", type=click.Path(path_type=Path), help="Write there, not to standard output.")
@pass_session
def audit_export(session: Session, /, output: Path | None, **given: Any) -> None:
    """Print every row that is chosen as JSON lines, oldest first, as they come."""
    lines = session.api.lines(f"{_PATH}/export", _chosen(session, given))
    if output is None:
        for line in lines:
            click.echo(line)
        return
    count = _written(output, lines)
    note(f"{'1 row is' if count == 1 else f'{count} rows are'} written to {output}.")


def _written(output: Path, lines: Iterator[str]) -> int:
    """Whole or not at all: half an export would look like a whole one."""
    count = 0
    with private_file_opened(output) as file:
        for line in lines:
            file.write(f"{line}\n")
            count += 1
    return count
