"""`--dry-run`: every check of the server, and nothing is done."""

from __future__ import annotations

import click

from marina_cli.errors import UsageProblem
from marina_cli.output import note, print_one
from marina_cli.text import Json

dry_run_option = click.option("--dry-run", is_flag=True, help="Have the server check it all, and do nothing.")


def dry_run_check(dry_run: bool, wait: bool) -> None:
    """Refuse to wait for what is not done."""
    if dry_run and wait:
        raise UsageProblem("--dry-run does nothing, so there is nothing to --wait for.", hint="Give one of the two.")


def dry_run_tell(item: Json, form: str, sentence: str) -> None:
    """Say what would have been done; as JSON or YAML the object as it would be."""

    def people(_: Json) -> None:
        click.echo(sentence)
        note("Nothing was done: this was a dry run.")

    print_one(item, form, people)


def deleted_tell(what: str, dry_run: bool) -> None:
    """Say that it is gone, or would be."""
    click.echo(f"{what} would be gone." if dry_run else f"{what} is gone.")
    if dry_run:
        note("Nothing was done: this was a dry run.")
