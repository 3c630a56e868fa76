"""`marina host lost`, `found` and `evacuate`."""

from __future__ import annotations

import sys
from datetime import datetime

import click

from marina_cli.commands.dry_run import dry_run_option
from marina_cli.commands.move_options import move_choices, move_options
from marina_cli.commands.rollout import rollout_ended
from marina_cli.commands.rollout_views import care_fields, foreseen_show
from marina_cli.commands.rollout_watching import rollout_follow
from marina_cli.completing import complete_hosts
from marina_cli.durations import age
from marina_cli.errors import ExitCode
from marina_cli.given import labels_parse
from marina_cli.lookup import host_find
from marina_cli.output import Column, note, output_option, print_fields, print_one, print_table
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, clean, word


@click.command("lost")
@click.argument("name", shell_complete=complete_hosts)
@click.option("--reason", default="", help="Why; it is kept with the host and in the audit log.")
@click.option("--force", is_flag=True, help="Although it answers; it takes a --reason.")
@click.option("--empty", is_flag=True, help="What was never exported comes back empty.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only show what it would mean.")
@output_option
@pass_session
def host_lost(
    session: Session, name: str, reason: str, force: bool, empty: bool, yes: bool, dry_run: bool, form: str
) -> None:
    """Give up the host NAME: what was on it is made again on other hosts, from its last exports.

    From when each cluster will be, and where it goes, is shown first. If the host comes back, what it still has is
    stopped, kept for a while, and then removed. Said again, it begins anew what did not come back.
    """
    path = f"/host-clusters/{host_find(session.api, name)['id']}/lost"
    body: Json = {"reason": reason, "force": force, "empty": empty}
    planned = session.api.start("POST", path, body, dry_run=True)
    now = session.clock.now()
    if dry_run:
        print_one(planned, form, lambda item: _loss_show(item, now))
        return
    if form in ("table", "wide"):
        _loss_show(planned, now)
    if not yes and sys.stdin.isatty() and not click.confirm(f"Give up the host {name}?", err=True):
        note("Nothing was done.")
        raise click.exceptions.Exit(ExitCode.REFUSED)
    said = session.api.start("POST", path, body)
    print_one(said, form, lambda item: click.echo(_said(name, item)))


def _said(name: str, item: Json) -> str:
    begun = sum(1 for each in item["clusters"] if each.get("operation")) + int(item.get("hidden") or 0)
    return f"{name} is given up. {begun} cluster{'' if begun == 1 else 's'} will be made again on other hosts."


def _loss_show(item: Json, now: datetime) -> None:
    clusters = item["clusters"]
    if clusters:
        print_table(clusters, _columns(now))
    else:
        click.echo("Nothing that you may see has to be made again.")
    if hidden := int(item.get("hidden") or 0):
        note(f"And {hidden} that you may not see.")
    for each in clusters:
        if waits := clean(str(each.get("waits") or "")):
            note(f"{word(each['name'])} has to wait: {waits}")
    for move in item.get("moves_put_back") or []:
        note(f"The move of {word(move['virtual_cluster'])} to it is put back.")


def _columns(now: datetime) -> tuple[Column, ...]:
    return (
        Column("CLUSTER", lambda each: f"{word(each.get('project'))}/{word(each.get('name'))}"),
        Column("LAST EXPORT", lambda each: _exported(each, now)),
        Column("COMES BACK", lambda each: word(each.get("comes_back"))),
        Column("TO", lambda each: word(each.get("to")) if each.get("to") else "nowhere yet"),
    )


def _exported(each: Json, now: datetime) -> str:
    export = each.get("export")
    return f"{age(export['finished_at'], now)} ago" if export else "-"


@click.command("found")
@click.argument("name", shell_complete=complete_hosts)
@output_option
@pass_session
def host_found(session: Session, name: str, form: str) -> None:
    """Count the lost host NAME as lost no more: it answers again. It stays cordoned."""
    item = session.api.start("POST", f"/host-clusters/{host_find(session.api, name)['id']}/found")
    print_one(item, form, lambda _: click.echo(f"{name} counts as lost no more. It is cordoned: marina host uncordon."))


@click.command("evacuate")
@click.argument("name", shell_complete=complete_hosts)
@click.option("--to", metavar="HOST", shell_complete=complete_hosts, help="Where all go; else Marina chooses for each.")
@click.option("--max-parallel", type=click.IntRange(min=1), help="How many at once.  [default: 5]")
@move_options
@click.option("--choose", "others", multiple=True, metavar="CHOICE=OPTION", help="For what else a preflight asks.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--watch", "watches", is_flag=True, help="Follow it until it ends.")
@dry_run_option
@output_option
@pass_session
def host_evacuate(
    session: Session,
    /,
    name: str,
    to: str | None,
    max_parallel: int | None,
    others: tuple[str, ...],
    yes: bool,
    watches: bool,
    dry_run: bool,
    form: str,
    **chosen: str | None,
) -> None:
    """Empty the host NAME: place nothing new there, and move away all that is on it.

    The choices count for all of its clusters. What needs one that was not given stays where it is, and says so.
    """
    choices = {**move_choices(chosen), **labels_parse(others, "--choose")}
    body: Json = {"to": host_find(session.api, to)["id"]} if to else {}
    body |= {"max_parallel": max_parallel} if max_parallel else {}
    body |= {"choices": choices} if choices else {}
    path = f"/host-clusters/{host_find(session.api, name)['id']}/evacuate"
    planned = session.api.start("POST", path, body, dry_run=True)
    if dry_run:
        print_one(planned, form, lambda item: _evacuation_show(name, item.get("rollout")))
        return
    count = ((planned.get("rollout") or {}).get("clusters") or {}).get("total", 0)
    if not yes and sys.stdin.isatty():
        note(f"{count} clusters would be moved away from {name}, and nothing new placed there.")
        if not click.confirm(f"Empty the host {name}?", err=True):
            note("Nothing was done.")
            raise click.exceptions.Exit(ExitCode.REFUSED)
    begun = session.api.start("POST", path, body)
    rollout = begun.get("rollout")
    if rollout is None:
        print_one(begun, form, lambda _: click.echo(f"{name} is cordoned. Nothing is on it."))
        return
    if watches:
        rollout_ended(rollout_follow(session, rollout, None), form)
        return
    print_one(rollout, form, lambda _: click.echo(f"{name} is cordoned, and {count} clusters are moved away from it."))
    if form in ("table", "wide"):
        note(f"Watch it with `marina rollout watch {word(rollout['name'])}`.")


def _evacuation_show(name: str, rollout: Json | None) -> None:
    count = ((rollout or {}).get("clusters") or {}).get("total", 0)
    click.echo(f"{name} would be cordoned, and {count} cluster{'' if count == 1 else 's'} moved away from it.")
    if rollout:
        foreseen_show(rollout)
        print_fields(care_fields(rollout))
    note("Nothing was done: this was a dry run.")
