"""`marina idle`: whether a virtual cluster is used, who writes in it, and what of that is use."""

from __future__ import annotations

from datetime import datetime

import click

from marina_cli.commands.cluster_views import heading
from marina_cli.completing import complete_clusters
from marina_cli.durations import age, minute
from marina_cli.errors import CliError, ExitCode, UsageProblem
from marina_cli.lookup import cluster_find
from marina_cli.output import Column, console, output_option, print_list, print_one, print_table
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json, word


class IdleGroup(click.Group):
    """`marina idle NAME` is `marina idle show NAME`; a cluster named like a command needs the long form."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["show", *args]
        return super().resolve_command(ctx, args)


@click.group(cls=IdleGroup, invoke_without_command=False)
def idle() -> None:
    """Whether a virtual cluster is used: `marina idle NAME` shows every signal of it."""


def signal_columns(now: datetime) -> tuple[Column, ...]:
    """The columns of `marina idle NAME`."""
    return (
        Column("SIGNAL", lambda item: word(item.get("kind"))),
        Column("LAST USE", lambda item: _last(item, now)),
        Column("WHO", lambda item: word(item.get("who")) if item.get("who") else "-"),
        Column("STATE", lambda item: word(item.get("state"))),
        Column("KNOWN UNTIL", lambda item: _ago(item.get("observed_at"), now)),
        Column("NEEDED", lambda item: "required" if item.get("required") else "optional"),
        Column("AT", lambda item: minute(item.get("last_used_at")), wide=True),
    )


def writer_columns(now: datetime) -> tuple[Column, ...]:
    """The columns of `marina idle writers NAME`."""
    return (
        Column("MANAGER", lambda item: word(item.get("manager"))),
        Column("COUNTS", lambda item: "yes" if item.get("counts") else "no"),
        Column("IT IS", _verdict),
        Column("LAST WRITE", lambda item: age(item.get("last_write_at"), now)),
        Column("WROTE", lambda item: word(item.get("wrote")) if item.get("wrote") else "-"),
        Column("FIRST SEEN", lambda item: age(item.get("first_seen_at"), now), wide=True),
        Column("WHY", lambda item: word(item.get("reason")), wide=True),
        Column("KINDS", lambda item: word(item.get("kinds")), wide=True),
        Column("ID", lambda item: word(item.get("id")), wide=True),
    )


def _last(item: Json, now: datetime) -> str:
    """Where nobody can tell, that there was none is not said."""
    if item.get("last_used_at"):
        return _ago(item["last_used_at"], now)
    return "never" if item.get("state") == "known" else "-"


def _ago(value: object, now: datetime) -> str:
    told = age(value, now)
    return told if told == "-" else f"{told} ago"


def _verdict(item: Json) -> str:
    if item.get("corrected"):
        return f"{word(item['corrected'])}, says {word(item.get('corrected_by'))} (learnt: {word(item.get('verdict'))})"
    return word(item.get("verdict"))


@idle.command("show")
@click.argument("name", shell_complete=complete_clusters)
@project_option
@output_option
@pass_session
def idle_show(session: Session, name: str, project: str | None, form: str) -> None:
    """Show every signal of use of NAME: when last, by whom, and until when that is known."""
    cluster = cluster_find(session, name, project)
    item = session.api.get(f"/virtual-clusters/{cluster['id']}/signals")
    shown = {**item, "name": cluster.get("name")}
    print_one(shown, form, lambda shown: _show(shown, session.clock.now(), wide=form == "wide"))


def _show(item: Json, now: datetime, *, wide: bool) -> None:
    out = console(wrap=True)
    used = item.get("last_used_at")
    told = f"last used {age(used, now)} ago" if used else "no use is known"
    by = f" by {word(item['last_used_by'])}" if item.get("last_used_by") else ""
    out.print(heading(f"{word(item.get('name'))}  ").append(f"{told}{by}", style="default"))
    signals = [each for each in item.get("signals") or () if isinstance(each, dict)]
    print_table(signals, [column for column in signal_columns(now) if wide or not column.wide])
    for each in signals:
        if each.get("reason"):
            out.print(f"{word(each.get('kind'))}: {word(each['reason'])}", markup=False)
    if not item.get("complete"):
        out.print("A required signal is not known, so Marina calls it idle in no case.")


@idle.command("writers")
@click.argument("name", shell_complete=complete_clusters)
@project_option
@output_option
@pass_session
def idle_writers(session: Session, name: str, project: str | None, form: str) -> None:
    """List who writes in NAME (field managers), and whether that counts as use."""
    cluster = cluster_find(session, name, project)
    items = list(session.api.pages(f"/virtual-clusters/{cluster['id']}/writers"))
    empty = f"Nobody is known to have written in {word(cluster.get('name'))}, or it has not been looked through yet."
    print_list(items, form, writer_columns(session.clock.now()), empty=empty, name="manager")


@idle.command("correct")
@click.argument("name", shell_complete=complete_clusters)
@click.argument("manager")
@click.option("--counts", "verdict", flag_value="person", help="It is a person's: what it writes is use.")
@click.option("--ci", "verdict", flag_value="ci", help="It is CI's: what it writes is use.")
@click.option("--ignored", "verdict", flag_value="inside", help="It runs inside: what it writes is no use.")
@click.option("--as-learnt", "verdict", flag_value="learnt", help="Take back what was said of it.")
@project_option
@output_option
@pass_session
def idle_correct(
    session: Session, name: str, manager: str, verdict: str | None, project: str | None, form: str
) -> None:
    """Say whether what MANAGER writes in NAME is use, whatever Marina learnt of it."""
    if verdict is None:
        raise UsageProblem("Say what it is: --counts, --ci, --ignored or --as-learnt.")
    cluster = cluster_find(session, name, project)
    path = f"/virtual-clusters/{cluster['id']}/writers"
    writers = session.api.pages(path, {"search": manager})
    found = next((item for item in writers if item.get("manager") == manager), None)
    if found is None:
        raise CliError(
            f"Nobody called {manager!r} is known to have written in {name}.",
            hint=f"See who has: marina idle writers {name}.",
            exit_code=ExitCode.NOT_FOUND,
        )
    body: Json = {"verdict": None if verdict == "learnt" else verdict}
    changed = session.api.change("PATCH", f"{path}/{found['id']}", body)
    sentence = "counts as use" if changed.get("counts") else "is no use"
    print_one(changed, form, lambda _: click.echo(f"What {manager} writes in {name} {sentence}."), name="manager")
