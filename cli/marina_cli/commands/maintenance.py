"""`marina maintenance`: what Marina upgrades by itself, and when."""

from __future__ import annotations

from typing import Any

import click

from marina_cli.commands.scopes import of_scope, scope_given, scope_put, scope_text
from marina_cli.commands.upgrade_views import planned_text
from marina_cli.completing import complete_clusters
from marina_cli.durations import DURATION, span
from marina_cli.errors import CliError, ExitCode, UsageProblem
from marina_cli.lookup import cluster_find, organization_find
from marina_cli.output import Column, output_option, print_fields, print_list, print_one
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json, word

PATH = "/upgrade-policies"
CLEARED: dict[str, Json] = {"channel": {"channel": ""}, "window": {"window_cron": "", "window_seconds": None}}


def _length(item: Json) -> str:
    return span(float(item["window_seconds"])) if item.get("window_seconds") else "-"


COLUMNS = (
    Column("OF", scope_text),
    Column("CHANNEL", lambda item: word(item.get("channel"))),
    Column("WINDOW", lambda item: word(item.get("window_cron"))),
    Column("LASTS", _length),
    Column("ZONE", lambda item: word(item.get("time_zone")) if item.get("window_cron") else "-"),
    Column("ID", lambda item: word(item.get("id")), wide=True),
)


@click.group("maintenance")
def maintenance() -> None:
    """Which upgrades Marina does by itself, and in which window: of an organization, a project, or one cluster.

    What a cluster says counts before what its project says, and that before its organization: channel and window each
    by itself.
    """


def _scope(session: Session, name: str | None, project: str | None, organization: str | None) -> tuple[Json, str]:
    if organization and name:
        raise UsageProblem("What is of a cluster takes no --organization.")
    if organization:
        return {"organization": organization_find(session, organization)}, organization
    return scope_given(session, name, project)


organization_option = click.option("--organization", metavar="NAME", help="Of this organization.")


@maintenance.command("set")
@click.argument("name", required=False, shell_complete=complete_clusters)
@click.option(
    "--channel",
    type=click.Choice(["none", "patch", "minor"]),
    help="What Marina takes by itself: newer patches, or the next minor version as well.",
)
@click.option("--window", "window_cron", metavar="CRON", help="When a window begins, such as '0 2 * * SUN'.")
@click.option("--for", "window_seconds", type=DURATION, help="How long it lasts, such as 4h.")
@click.option("--zone", "time_zone", metavar="ZONE", help="The time zone, such as Europe/Berlin; UTC unless given.")
@click.option("--clear", multiple=True, type=click.Choice(list(CLEARED)), help="Say nothing of this any more.")
@organization_option
@project_option
@output_option
@pass_session
def maintenance_set(
    session: Session,
    /,
    name: str | None,
    clear: tuple[str, ...],
    organization: str | None,
    project: str | None,
    form: str,
    **given: Any,
) -> None:
    """Set it for the virtual cluster NAME, or without NAME for the whole project; what is not given stays."""
    body = {key: value for key, value in given.items() if value is not None}
    for each in clear:
        body |= CLEARED[each]
    if not body:
        raise UsageProblem("Nothing is to be set.", hint="Give a --channel, or a --window with --for.")
    scope, called = _scope(session, name, project, organization)
    item = scope_put(session, PATH, scope, body)
    print_one(item, form, lambda item: _show(item, called), name="id")


def _show(item: Json, called: str) -> None:
    click.echo(f"Maintenance of {called}")
    print_fields(
        [
            ("channel", word(item.get("channel"))),
            ("window", word(item.get("window_cron"))),
            ("lasts", _length(item)),
            ("zone", word(item.get("time_zone")) if item.get("window_cron") else ""),
        ]
    )


@maintenance.command("get")
@click.argument("name", required=False, shell_complete=complete_clusters)
@organization_option
@project_option
@output_option
@pass_session
def maintenance_get(
    session: Session, name: str | None, organization: str | None, project: str | None, form: str
) -> None:
    """Show what the virtual cluster NAME, or the project, says itself; of a cluster also what is planned."""
    scope, called = _scope(session, name, project, organization)
    item = of_scope(session, PATH, scope)
    if item is None and not (name and form == "table"):
        raise _none(called)
    if item is not None:
        print_one(item, form, lambda item: _show(item, called), name="id")
    if name and form == "table":
        told = cluster_find(session, name, project).get("upgrade") or {}
        print_fields(
            [
                ("channel that counts", word(told.get("channel"))),
                ("planned", planned_text(told) or "nothing"),
                ("not done", word(told.get("blocked"))),
            ]
        )


def _none(called: str) -> CliError:
    return CliError(
        f"{called} says nothing of its maintenance itself.",
        hint="The wider scope counts; say something with `marina maintenance set`.",
        exit_code=ExitCode.NOT_FOUND,
    )


@maintenance.command("list")
@output_option
@pass_session
def maintenance_list(session: Session, form: str) -> None:
    """List what is said by those scopes that you see."""
    print_list(list(session.api.pages(PATH)), form, COLUMNS, empty="Nobody says anything.", name="id")


@maintenance.command("delete")
@click.argument("name", required=False, shell_complete=complete_clusters)
@organization_option
@project_option
@pass_session
def maintenance_delete(session: Session, name: str | None, organization: str | None, project: str | None) -> None:
    """Take back all that the virtual cluster NAME, or the project, says; the wider scope counts from then on."""
    scope, called = _scope(session, name, project, organization)
    item = of_scope(session, PATH, scope)
    if item is None:
        raise _none(called)
    session.api.change("DELETE", f"{PATH}/{item['id']}")
    click.echo(f"{called} says nothing of its maintenance any more.")
