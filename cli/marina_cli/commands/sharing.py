"""`marina share`, `marina shares`, `marina unshare`: roles for one virtual cluster alone."""

from __future__ import annotations

import click

from marina_cli.completing import complete_clusters
from marina_cli.durations import DURATION, minute
from marina_cli.errors import CliError, ExitCode
from marina_cli.given import subject_parse
from marina_cli.lookup import cluster_find
from marina_cli.output import Column, output_option, print_list, print_one
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json, word

ROLE_HELP = "viewer, developer, admin, or a role of the organization's own."
WHO = "A handle, team:NAME or service-account:NAME."


def subject_text(item: Json) -> str:
    """Who has a role, as `--with` takes it."""
    if item.get("team"):
        return f"team:{word(item['team'])}"
    if item.get("service_account"):
        return f"service-account:{word(item['service_account'])}"
    return word(item.get("user"))


COLUMNS = (
    Column("WITH", subject_text),
    Column("ROLE", lambda item: word(item.get("role"))),
    Column("UNTIL", lambda item: minute(item.get("expires_at"))),
    Column("SINCE", lambda item: minute(item.get("created_at")), wide=True),
    Column("ID", lambda item: word(item.get("id")), wide=True),
)


@click.command("share")
@click.argument("name", shell_complete=complete_clusters)
@click.option("--with", "who", metavar="WHO", required=True, help=WHO)
@click.option("--role", metavar="ROLE", default="viewer", show_default=True, help=ROLE_HELP)
@click.option("--for", "expires_in", type=DURATION, default=None, help="For how long, such as 7d; else for good.")
@project_option
@output_option
@pass_session
def share(
    session: Session, name: str, who: str, role: str, expires_in: int | None, project: str | None, form: str
) -> None:
    """Share the virtual cluster NAME: a role for it alone, and nothing else of its project."""
    item = cluster_find(session, name, project)
    body: Json = {**subject_parse(who), "role": role}
    if expires_in is not None:
        body["expires_in"] = expires_in
    made = session.api.change("POST", f"/virtual-clusters/{item['id']}/shares", body, repeat=False)
    until = f" until {minute(made.get('expires_at'))}" if made.get("expires_at") else ""
    print_one(made, form, lambda _: click.echo(f"{who} is {role} of {word(item.get('name'))}{until}."), name="id")


@click.command("shares")
@click.argument("name", shell_complete=complete_clusters)
@project_option
@output_option
@pass_session
def shares(session: Session, name: str, project: str | None, form: str) -> None:
    """List with whom the virtual cluster NAME is shared; who has a role in its project is not among them."""
    item = cluster_find(session, name, project)
    found = list(session.api.pages(f"/virtual-clusters/{item['id']}/shares"))
    print_list(found, form, COLUMNS, empty=f"{name} is shared with nobody.", name="id")


@click.command("unshare")
@click.argument("name", shell_complete=complete_clusters)
@click.option("--with", "who", metavar="WHO", required=True, help=WHO)
@click.option("--role", metavar="ROLE", help="Only this role; every one unless given.")
@project_option
@pass_session
def unshare(session: Session, name: str, who: str, role: str | None, project: str | None) -> None:
    """Take away the roles that somebody has for the virtual cluster NAME alone."""
    item = cluster_find(session, name, project)
    path = f"/virtual-clusters/{item['id']}/shares"
    theirs = [each for each in session.api.pages(path) if subject_is(each, who) and role in (None, each.get("role"))]
    if not theirs:
        raise CliError(
            f"{name} is not shared with {who}.",
            hint=f"See with whom it is: marina shares {name}.",
            exit_code=ExitCode.NOT_FOUND,
        )
    for each in theirs:
        session.api.change("DELETE", f"{path}/{each['id']}")
        click.echo(f"{who} is no longer {word(each.get('role'))} of {word(item.get('name'))}.")


def subject_is(item: Json, who: str) -> bool:
    """Whether a role is of whom `who` names."""
    kind, name = next(iter(subject_parse(who).items()))
    subject = item.get(kind)
    return isinstance(subject, dict) and name in (subject.get("handle"), subject.get("name"), subject.get("id"))
