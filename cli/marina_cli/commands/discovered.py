"""`marina discovered`: virtual clusters on hosts that Marina did not make."""

from __future__ import annotations

from datetime import datetime

import click

from marina_cli.commands.waiting import operation_await, wait_options, watch_command
from marina_cli.completing import complete_hosts, complete_projects
from marina_cli.durations import age, span
from marina_cli.errors import CliError, ExitCode
from marina_cli.lookup import is_id
from marina_cli.output import Column, note, output_option, print_list, print_one
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, word


def columns(now: datetime) -> tuple[Column, ...]:
    """The columns of `marina discovered list`."""
    return (
        Column("ID", lambda item: word(item.get("id"))),
        Column("HOST", lambda item: word(item.get("host"))),
        Column("NAMESPACE", lambda item: word(item.get("namespace"))),
        Column("RELEASE", lambda item: word(item.get("release"))),
        Column("CHART", lambda item: word(item.get("chart_version"))),
        Column("VERSION", lambda item: word(item.get("kubernetes_version"))),
        Column("STANDING", _standing),
        Column("SEEN", lambda item: f"{age(item.get('seen_at'), now)} ago"),
        Column("IMAGE", lambda item: word(item.get("image")), wide=True),
        Column("WORKLOAD", lambda item: word(item.get("workload")), wide=True),
    )


def _standing(item: Json) -> str:
    return ", ".join(name for name in ("paused", "ignored") if item.get(name)) or "-"


def _find(session: Session, given: str) -> Json:
    """By id, or as NAMESPACE/RELEASE where that is on one host only."""
    if is_id(given):
        return session.api.get(f"/discovered-clusters/{given}")
    found = [
        item
        for item in session.api.pages("/discovered-clusters")
        if f"{item.get('namespace')}/{item.get('release')}" == given
    ]
    if len(found) == 1:
        return found[0]
    several = f"{given} was found on several hosts." if found else f"Nothing was found at {given!r}."
    hint = "`marina discovered list` shows the ids."
    raise CliError(several, hint=hint, exit_code=ExitCode.CONFLICT if found else ExitCode.NOT_FOUND)


@click.group()
def discovered() -> None:
    """Virtual clusters that were found on hosts and that Marina did not make."""


@discovered.command("list")
@click.option("--host", metavar="HOST", shell_complete=complete_hosts, help="Only those of this host.")
@click.option("--all", "every", is_flag=True, help="Those that are ignored, too.")
@output_option
@pass_session
def discovered_list(session: Session, host: str | None, every: bool, form: str) -> None:
    """List what surveys of the hosts found. Nothing of it is changed before somebody adopts it."""
    params = {"host": host, "ignored": None if every else "false"}
    chosen = {key: value for key, value in params.items() if value}
    items = list(session.api.pages("/discovered-clusters", chosen))
    empty = "No virtual cluster was found that Marina did not make, on hosts that you look after."
    print_list(items, form, columns(session.clock.now()), empty=empty, name="id")


@discovered.command("adopt")
@click.argument("id", metavar="ID|NAMESPACE/RELEASE")
@click.option(
    "--project",
    "-p",
    metavar="ORG/NAME",
    required=True,
    shell_complete=complete_projects,
    help="The project that it is for from now on.",
)
@click.option("--name", metavar="NAME", help="Its name there; the release's unless given.")
@click.option("--owner", metavar="HANDLE", help="Who answers for it; you unless given.")
@wait_options
@output_option
@pass_session
def discovered_adopt(
    session: Session,
    id: str,  # noqa: A002
    project: str,
    name: str | None,
    owner: str | None,
    wait: bool,
    timeout: int,
    form: str,
) -> None:
    """Take one under Marina's care, unchanged.

    Its values, chart version and images stay as they are. The first `marina configure` of it shows what would differ.
    """
    found = _find(session, id)
    body = {"project": project, "name": name, "owner": owner}
    given = {key: value for key, value in body.items() if value is not None}
    started = session.clock.monotonic()
    answer = session.api.start("POST", f"/discovered-clusters/{found['id']}/adopt", given)
    item: Json = answer["virtual_cluster"]
    if wait:
        operation_await(session, answer, timeout)

    def people(item: Json) -> None:
        if wait:
            took = span(session.clock.monotonic() - started)
            click.echo(f"{word(item.get('name'))} of {project} is adopted after {took}; nothing of it was changed.")
        else:
            click.echo(f"{word(item.get('name'))} is being adopted for {project}.")
            note(f"Watch it with `{watch_command(answer)}`.")

    print_one(item, form, people)


def _ignored_set(session: Session, given: str, action: str, sentence: str, form: str) -> None:
    found = _find(session, given)
    changed = session.api.change("POST", f"/discovered-clusters/{found['id']}/{action}")
    place = f"{word(found.get('namespace'))}/{word(found.get('release'))}"
    print_one(changed, form, lambda _: click.echo(f"{place} {sentence}"), name="id")


@discovered.command("ignore")
@click.argument("id", metavar="ID|NAMESPACE/RELEASE")
@output_option
@pass_session
def discovered_ignore(session: Session, id: str, form: str) -> None:  # noqa: A002
    """Say that one is none of Marina's business: it is listed with --all only."""
    _ignored_set(session, id, "ignore", "is ignored from now on.", form)


@discovered.command("unignore")
@click.argument("id", metavar="ID|NAMESPACE/RELEASE")
@output_option
@pass_session
def discovered_unignore(session: Session, id: str, form: str) -> None:  # noqa: A002
    """List one again among those that can be adopted."""
    _ignored_set(session, id, "unignore", "is ignored no longer.", form)
