"""`marina create --explain`: where a virtual cluster would go."""

from __future__ import annotations

import click

from marina_cli.errors import ExitCode
from marina_cli.output import Column, note, print_data, print_table
from marina_cli.session import Session
from marina_cli.text import Json, word

COLUMNS = (
    Column("HOST", lambda item: word(item.get("host"))),
    Column("FITS", lambda item: item["fits"]),
    Column("WHY", lambda item: word(item.get("why"))),
)


def placement_explain(session: Session, name: str, body: Json, form: str) -> None:
    """Prints the offered hosts, best first, with what speaks for or against each. Exits with 1 where none fits."""
    asked = {key: body[key] for key in ("project", "host", "spec") if body.get(key)}
    answer = session.api.change("POST", "/virtual-clusters/placement-preview", asked)
    candidates, left_out = answer.get("candidates") or [], answer.get("left_out") or []
    if form in ("json", "yaml"):
        print_data(answer, form)
    elif form == "name":
        for each in candidates:
            click.echo(word(each.get("host")))
    else:
        _show(name, candidates, left_out)
        note(word(answer.get("message")))
    if not candidates:
        raise click.exceptions.Exit(ExitCode.REFUSED)


def _show(name: str, candidates: list[Json], left_out: list[Json]) -> None:
    chosen = f"{name} would go to {word(candidates[0].get('host'))}." if candidates else f"No host can take {name}."
    click.echo(chosen)
    fits = [{**each, "fits": "yes" if index else "first"} for index, each in enumerate(candidates)]
    rows = fits + [{**each, "fits": "no"} for each in left_out]
    if rows:
        print_table(rows, COLUMNS)
