"""`marina export`: what is in a virtual cluster, kept encrypted."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from marina_cli.commands.dry_run import dry_run_check, dry_run_option, dry_run_tell
from marina_cli.commands.waiting import operation_await, wait_options, watch_command
from marina_cli.completing import complete_clusters, complete_projects
from marina_cli.durations import age, clock_time, span
from marina_cli.errors import UsageProblem
from marina_cli.host_health import size_text
from marina_cli.lookup import cluster_find, is_id
from marina_cli.output import Column, note, output_option, print_fields, print_list, print_one
from marina_cli.private_file import private_bytes_opened
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json, project_path, word


def columns(now: datetime) -> tuple[Column, ...]:
    """The columns of `marina export list`."""
    return (
        Column("ID", lambda item: word(item.get("id"))),
        Column("CLUSTER", lambda item: word((item.get("virtual_cluster") or {}).get("name"))),
        Column("PROJECT", lambda item: project_path(item.get("project"))),
        Column("CAUSE", lambda item: word(item.get("cause"))),
        Column("STATE", lambda item: word(item.get("state"))),
        Column("OBJECTS", lambda item: word(item.get("objects"))),
        Column("SIZE", _size),
        Column("AGE", lambda item: age(item.get("created_at"), now)),
        Column("UNTIL", lambda item: word(item.get("expires_at") or "-")[:10]),
        Column("BY", _by, wide=True),
    )


def _size(item: Json) -> str:
    return size_text(int(item.get("size") or 0))


def _by(item: Json) -> str:
    return word((item.get("requested_by") or {}).get("name") or "marina")


@click.group()
def export() -> None:
    """Exports: everything that users own in a virtual cluster, kept encrypted. Volumes' data is not part of it."""


@export.command("create")
@click.argument("name", shell_complete=complete_clusters)
@project_option
@dry_run_option
@wait_options
@output_option
@pass_session
def export_create(
    session: Session, name: str, project: str | None, dry_run: bool, wait: bool, timeout: int, form: str
) -> None:
    """Export the virtual cluster NAME. It has to be awake."""
    dry_run_check(dry_run, wait)
    cluster = cluster_find(session, name, project)
    started = session.clock.monotonic()
    answer = session.api.start("POST", f"/virtual-clusters/{cluster['id']}/exports", dry_run=dry_run)
    item: Json = answer["export"]
    if dry_run:
        dry_run_tell(item, form, f"{name} would be exported.")
        return
    if wait:
        operation_await(session, answer, timeout)
        item = session.api.get(f"/exports/{item['id']}")

    def people(item: Json) -> None:
        if wait:
            took = span(session.clock.monotonic() - started)
            click.echo(f"{name} is exported after {took}: {word(item.get('objects'))} objects, {_size(item)}.")
            note(f"Read it with `marina export download {item['id']}`.")
        else:
            click.echo(f"{name} is being exported: {word(item.get('id'))}.")
            note(f"Watch it with `{watch_command(answer)}`.")

    print_one(item, form, people, name="id")


@export.command("list")
@click.option("--cluster", metavar="NAME", shell_complete=complete_clusters, help="Only those of this cluster.")
@click.option("--project", "-p", metavar="ORG/NAME", shell_complete=complete_projects, help="Only those of it.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="At most so many.")
@output_option
@pass_session
def export_list(session: Session, cluster: str | None, project: str | None, limit: int, form: str) -> None:
    """List exports, newest first; also of clusters that were deleted."""
    given = {("virtual_cluster" if cluster and is_id(cluster) else "cluster"): cluster, "project": project}
    chosen = {key: value for key, value in given.items() if value}
    items = list(session.api.pages("/exports", chosen, limit=limit))
    print_list(items, form, columns(session.clock.now()), empty="There is no export like that.", name="id")


@export.command("get")
@click.argument("id")
@output_option
@pass_session
def export_get(session: Session, id: str, form: str) -> None:  # noqa: A002
    """Show one export: what is in it by kind, and what was left out and why."""
    print_one(session.api.get(f"/exports/{_checked(id)}"), form, _told, name="id")


def _told(item: Json) -> None:
    click.echo(f"Export {word(item.get('id'))} of {word((item.get('virtual_cluster') or {}).get('name'))}")
    print_fields(
        [
            ("state", word(item.get("state"))),
            ("message", word(item.get("message")) if item.get("message") else ""),
            ("cause", word(item.get("cause"))),
            ("by", _by(item)),
            ("made", clock_time(item.get("finished_at"))),
            ("kept until", clock_time(item.get("expires_at"))),
            ("size", _size(item)),
            ("Kubernetes", word(item.get("kubernetes_version") or "-")),
        ]
    )
    counts = item.get("counts") or {}
    click.echo("In it:" if counts else "In it: nothing.")
    for kind, count in sorted(counts.items()):
        click.echo(f"  {count:6} {word(kind)}")
    if claims := counts.get("v1/PersistentVolumeClaim"):
        click.echo(f"Not in it: the data of {'the volume' if claims == 1 else f'{claims} volumes'}.")
    if item.get("left_out"):
        click.echo("Left out:")
    for entry in item.get("left_out") or []:
        kinds = ", ".join(sorted({word(each.get("kind")) for each in entry.get("first") or []}))
        click.echo(f"  {entry.get('count') or '-':>6} {kinds} ({word(entry.get('rule'))}): {word(entry.get('reason'))}")


@export.command("download")
@click.argument("id")
@click.option("--output", "output", metavar="FILE", type=click.Path(path_type=Path), help="ID.tar.gz unless given.")
@pass_session
def export_download(session: Session, id: str, output: Path | None) -> None:  # noqa: A002
    """Write what is in an export as a tar.gz of YAML files, which only you may read: there are Secrets among them.

    `kubectl apply --recursive -f FOLDER` takes what was unpacked. That it was read is in the audit log.
    """
    target = output or Path(f"{_checked(id)}.tar.gz")
    with private_bytes_opened(target) as file:
        for part in session.api.content(f"/exports/{_checked(id)}/content"):
            file.write(part)
    note(f"It is written to {target}. There are Secrets in it.")


@export.command("delete")
@click.argument("id")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@pass_session
def export_delete(session: Session, id: str, yes: bool) -> None:  # noqa: A002
    """Erase an export for good. What was in it cannot be restored from it any more."""
    item = session.api.get(f"/exports/{_checked(id)}")
    cluster = word((item.get("virtual_cluster") or {}).get("name"))
    if not yes:
        click.confirm(f"Erase the export of {cluster} from {clock_time(item.get('created_at'))} for good?", abort=True)
    session.api.change("DELETE", f"/exports/{id}")
    click.echo(f"The export {word(id)} of {cluster} is erased.")


def _checked(given: str) -> str:
    if not is_id(given):
        raise UsageProblem(f"{given!r} is no id of an export.", hint="`marina export list` shows the ids.")
    return given
