"""`marina delete`."""

from __future__ import annotations

import sys

import click

from marina_cli.commands.dry_run import dry_run_check, dry_run_option, dry_run_tell
from marina_cli.commands.several import How, all_or_nothing_option, batch_send, cluster_afterwards, several_end
from marina_cli.commands.waiting import operation_await, wait_options, watch_command
from marina_cli.completing import complete_clusters
from marina_cli.errors import CliError, ExitCode
from marina_cli.lookup import cluster_find
from marina_cli.output import note, output_option, print_one
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json, project_path, word


@click.command("delete")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_clusters)
@project_option
@click.option("--purge", is_flag=True, help="For good: without an export, from which it could be restored.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@all_or_nothing_option
@dry_run_option
@wait_options
@output_option
@pass_session
def cluster_delete(
    session: Session,
    names: tuple[str, ...],
    project: str | None,
    purge: bool,
    yes: bool,
    all_or_nothing: bool,
    dry_run: bool,
    wait: bool,
    timeout: int,
    form: str,
) -> None:
    """Delete virtual clusters with everything in them.

    What is in them, except in volumes, is exported first and can be restored for a while (`marina restore NAME`).
    Where it cannot be exported nothing is deleted, unless --purge says so.

    Asks first on a terminal, naming them all; in a script the command itself is the answer. If one of several names is
    not there, nothing is deleted.
    """
    dry_run_check(dry_run, wait)
    items = _found(session, names, project)
    if not (yes or dry_run) and sys.stdin.isatty():
        _ask(items, purge)
    how = How(form, wait, timeout, dry_run, all_or_nothing)
    if len(items) == 1:
        _delete_one(session, items[0], how, purge)
        return
    more = {"purge": True} if purge else {}
    asked = {called: {"id": item["id"], **more} for called, item in _called(items).items()}
    told = batch_send(session, "/virtual-clusters/batch-delete", asked, how)
    what = "would be" if dry_run else "is being"
    several_end(session, told, how, sentence=f"{{name}} {what} deleted.", ended=lambda each: f"{each.name} is deleted.")


def _found(session: Session, names: tuple[str, ...], project: str | None) -> list[Json]:
    """Each once; CliError (4) that names all that are not there."""
    found: dict[str, Json] = {}
    missing: list[tuple[str, CliError]] = []
    for name in dict.fromkeys(names):
        try:
            item = cluster_find(session, name, project)
        except CliError as error:
            if error.exit_code != ExitCode.NOT_FOUND:
                raise
            missing.append((name, error))
        else:
            found[str(item["id"])] = item
    if not missing:
        return list(found.values())
    first = missing[0][1]
    if len(names) == 1:
        raise first
    raise CliError(
        f"Not there: {', '.join(name for name, _ in missing)}. Nothing was deleted.",
        hint=first.hint,
        exit_code=ExitCode.NOT_FOUND,
    )


def _called(items: list[Json]) -> dict[str, Json]:
    """By what each is told of: its name, with its project where several are named alike."""
    names = [word(item.get("name")) for item in items]
    alike = len(set(names)) < len(names)
    return {
        f"{project_path(item.get('project'))}/{name}" if alike else name: item
        for name, item in zip(names, items, strict=True)
    }


def _ask(items: list[Json], purge: bool) -> None:
    """Goes on only after a yes to all that are named."""
    note(_what_goes(items, purge))
    which = word(items[0].get("name")) if len(items) == 1 else f"these {len(items)} virtual clusters"
    if not click.confirm(f"Delete {which}?", err=True):
        note("Nothing was deleted.")
        raise click.exceptions.Exit(ExitCode.REFUSED)


def _delete_one(session: Session, item: Json, how: How, purge: bool) -> None:
    name = word(item.get("name"))
    params = {"purge": "true"} if purge else None
    answer = session.api.start("DELETE", f"/virtual-clusters/{item['id']}", dry_run=how.dry_run, params=params)
    if how.dry_run:
        dry_run_tell(item, how.form, f"{name} would be deleted.")
        return
    if how.wait:
        item = cluster_afterwards(session, item, operation_await(session, answer, how.timeout))

    def people(_: Json) -> None:
        click.echo(f"{name} is deleted." if how.wait else f"{name} is being deleted.")
        if not how.wait:
            note(f"Watch it with `{watch_command(answer)}`.")

    print_one(item if how.wait else answer.get("virtual_cluster") or item, how.form, people)


def _what_goes(items: list[Json], purge: bool) -> str:
    if len(items) == 1:
        these = f"the virtual cluster {_one(items[0])}."
    else:
        these = "\n".join([f"{len(items)} virtual clusters:", *(f"  {_one(item)}" for item in items)])
    its = "its" if len(items) == 1 else "their"
    if purge:
        stays = f"nothing of {'it; it' if len(items) == 1 else 'them; they'} cannot be brought back."
    else:
        stays = (
            f"an export of {its} objects, secrets included, for a while (marina restore). Not what is in {its} volumes."
        )
    return (
        f"This deletes {these}\n"
        f"What goes: {its} workloads, {its} volumes with their data, {its} objects and every kubeconfig for "
        f"{'it' if len(items) == 1 else 'them'}.\n"
        f"What stays: {stays}"
    )


def _one(item: Json) -> str:
    where = (item.get("placement") or {}).get("host")
    on_host = f" on {word(where)}" if where else ""
    return f"{word(item.get('name'))} of {project_path(item.get('project'))}{on_host}"
