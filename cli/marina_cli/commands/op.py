"""`marina op`: operations, the pieces of work."""

from __future__ import annotations

from datetime import datetime

import click
from rich.text import Text

from marina_cli.commands.cluster_views import operation_show
from marina_cli.commands.report_views import report_show
from marina_cli.commands.restored import restored_show
from marina_cli.commands.waiting import operation_await, wait_options, watch_command
from marina_cli.completing import complete_clusters, complete_hosts
from marina_cli.durations import DURATION, age, span, time_parse
from marina_cli.errors import CliError, ExitCode
from marina_cli.lookup import cluster_find, host_find, is_id
from marina_cli.operations import difference_lines, operation_read
from marina_cli.output import Column, console, note, output_option, print_fields, print_list, print_one
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json, clean, word


def columns(now: datetime) -> tuple[Column, ...]:
    """The columns of `marina op list`."""
    return (
        Column("ID", lambda item: word(item.get("id"))),
        Column("KIND", lambda item: word(item.get("kind"))),
        Column("OBJECT", lambda item: operation_read(item).subject),
        Column("STATE", lambda item: word(item.get("state")), state=True),
        Column("STEPS", lambda item: f"{item.get('steps_done', 0)}/{item.get('steps_total', 0)}"),
        Column("AGE", lambda item: age(item.get("created_at"), now)),
        Column("MESSAGE", lambda item: operation_read(item).error_message or word(item.get("message"))),
        Column("BY", lambda item: word(item.get("requested_by")), wide=True),
        Column("ATTEMPT", lambda item: word(item.get("attempt")), wide=True),
    )


@click.group()
def op() -> None:
    """Operations: what is being done, what was done, and why it failed."""


@op.command("list")
@click.option("--cluster", metavar="NAME", shell_complete=complete_clusters, help="Only those of this cluster.")
@click.option("--host", metavar="HOST", shell_complete=complete_hosts, help="Only those of this host.")
@click.option("--state", metavar="STATE", help="Only those in this state, such as Failed.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many.")
@project_option
@output_option
@pass_session
def op_list(
    session: Session,
    cluster: str | None,
    host: str | None,
    state: str | None,
    limit: int,
    project: str | None,
    form: str,
) -> None:
    """List the newest operations of what a role shows you; platform staff: those of hosts."""
    params = {
        "virtual_cluster": cluster_find(session, cluster, project)["id"] if cluster else None,
        "host_cluster": host_find(session.api, host)["id"] if host else None,
        "state": state,
    }
    chosen = {key: value for key, value in params.items() if value}
    items = list(session.api.pages("/operations", chosen, limit=limit))
    print_list(items, form, columns(session.clock.now()), empty="There are no such operations.", name="id")
    if not items and form in ("table", "wide") and session.me.get("is_staff"):
        note(
            "As platform staff you see the operations of hosts. A tenant's take a role there, or `marina break-glass`."
        )


@op.command("get")
@click.argument("id", metavar="ID|NAME", shell_complete=complete_clusters)
@project_option
@output_option
@pass_session
def op_get(session: Session, id: str, project: str | None, form: str) -> None:  # noqa: A002
    """Show one operation with its steps and events: by its ID, or the newest one of the virtual cluster NAME."""
    item = session.api.get(f"/operations/{_id_of(session, id, project)}")
    print_one(item, form, lambda item: _show(item, session.clock.now()), name="id")


def _show(item: Json, now: datetime) -> None:
    print_fields(
        [
            ("object", operation_read(item).subject),
            ("requested by", word(item.get("requested_by"))),
            ("created", f"{age(item.get('created_at'), now)} ago"),
            ("attempt", word(item.get("attempt"))),
            ("took", _took(item)),
        ]
    )
    operation_show(item, now)
    out = console()
    if item.get("restored"):
        out.print(Text("\nWhat was restored", style="bold"))
        restored_show(item)
    if item.get("difference"):
        out.print(Text("\nDifference to what was found", style="bold"))
        for line in difference_lines(item):
            out.print(line)
    if item.get("report"):
        out.print("")
        report_show(item["report"], {})
    if item.get("events"):
        out.print(Text("\nEvents", style="bold"))
    for event in item.get("events") or ():
        at = time_parse(event.get("time"))
        when = at.astimezone().strftime("%H:%M:%S") if at else "-"
        style = "red" if event.get("level") == "error" else "default"
        out.print(Text(f"  {when}  ", style="bright_black").append(clean(str(event.get("text") or "")), style=style))


def _took(item: Json) -> str:
    start, end = time_parse(item.get("started_at")), time_parse(item.get("finished_at"))
    return span((end - start).total_seconds()) if start and end else ""


@op.command("watch")
@click.argument("id", metavar="ID|NAME", shell_complete=complete_clusters)
@project_option
@click.option("--timeout", type=DURATION, default=None, help="How long to watch; without end unless given.")
@output_option
@pass_session
def op_watch(session: Session, id: str, project: str | None, timeout: int | None, form: str) -> None:  # noqa: A002
    """Follow an operation until it ends; the exit code says how.

    With the NAME of a virtual cluster it follows the newest operation of that.
    """
    ended = operation_await(session, session.api.get(f"/operations/{_id_of(session, id, project)}"), timeout)
    done = f"{ended.kind} of {ended.subject} succeeded."
    print_one(ended.raw, form, lambda _: click.echo(done), name="id")


def _id_of(session: Session, name: str, project: str | None) -> str:
    """The id that was given, or that of the newest operation of the virtual cluster of this name."""
    if is_id(name):
        return name
    cluster = cluster_find(session, name, project)
    newest = next(session.api.pages("/operations", {"virtual_cluster": cluster["id"]}, limit=1), None)
    if newest is None:
        raise CliError(f"There is no operation of {name!r} yet.", exit_code=ExitCode.NOT_FOUND)
    return str(newest["id"])


@op.command("retry")
@click.argument("id", metavar="ID|NAME", shell_complete=complete_clusters)
@project_option
@wait_options
@output_option
@pass_session
def op_retry(
    session: Session,
    id: str,  # noqa: A002
    project: str | None,
    wait: bool,
    timeout: int,
    form: str,
) -> None:
    """Try a failed operation again, from the step where it stopped: by its ID, or the newest one of cluster NAME."""
    answer = session.api.start("POST", f"/operations/{_id_of(session, id, project)}/retry")
    item: Json = answer.get("operation") or answer
    if wait:
        item = operation_await(session, answer, timeout).raw
    sentence = "The operation succeeded." if wait else "The operation is tried again."
    print_one(item, form, lambda _: click.echo(sentence), name="id")
    if not wait and form == "table":
        note(f"Watch it with `{watch_command(answer)}`.")


@op.command("abort")
@click.argument("id", metavar="ID|NAME", shell_complete=complete_clusters)
@project_option
@output_option
@pass_session
def op_abort(session: Session, id: str, project: str | None, form: str) -> None:  # noqa: A002
    """Abort an operation, by its ID, or the newest one of cluster NAME; what it has done so far stays."""
    answer = session.api.start("POST", f"/operations/{_id_of(session, id, project)}/abort")
    item: Json = answer.get("operation") or answer
    sentence = "The operation is aborted." if item.get("state") == "Aborted" else "The operation is being aborted."
    print_one(item, form, lambda _: click.echo(sentence), name="id")
