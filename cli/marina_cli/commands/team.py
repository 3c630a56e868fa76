"""`marina team`: people of an organization who are given roles together."""

from __future__ import annotations

import click

from marina_cli.errors import CliError, ExitCode, UsageProblem
from marina_cli.lookup import is_id
from marina_cli.output import Column, output_option, print_list, print_one
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, word

COLUMNS = (
    Column("TEAM", lambda item: word(item.get("name"))),
    Column("ORGANIZATION", lambda item: word(item.get("organization"))),
    Column("MEMBERS", lambda item: ", ".join(handles(item)) or "-"),
    Column("ID", lambda item: word(item.get("id")), wide=True),
)
ORGANIZATION = click.option("--organization", metavar="ORG", help="Whose team it is, where you are in several.")
MEMBERS = click.argument("members", metavar="HANDLE...", nargs=-1, required=True)


def handles(item: Json) -> list[str]:
    """The members of a team, by their handles."""
    return [word(member.get("handle")) for member in item.get("members", [])]


@click.group()
def team() -> None:
    """Teams: people of an organization who are given roles together."""


@team.command("list")
@ORGANIZATION
@output_option
@pass_session
def team_list(session: Session, organization: str | None, form: str) -> None:
    """List the teams of your organizations, with their members."""
    items = list(session.api.pages("/teams", {"organization": organization} if organization else {}))
    print_list(items, form, COLUMNS, empty="There is no team that you may see.")


@team.command("create")
@click.argument("name")
@click.option("--organization", metavar="ORG", required=True, help="Whose team it is.")
@click.option("--member", "members", metavar="HANDLE", multiple=True, help="Who is in it; several.")
@output_option
@pass_session
def team_create(session: Session, name: str, organization: str, members: tuple[str, ...], form: str) -> None:
    """Make a team. It has no role until `marina member add team:NAME` gives it one."""
    body: Json = {"organization": organization, "name": name, "members": list(members)}
    print_one(session.api.change("POST", "/teams", body, repeat=False), form, _show)


@team.command("add")
@click.argument("name", metavar="TEAM")
@MEMBERS
@ORGANIZATION
@output_option
@pass_session
def team_add(session: Session, name: str, members: tuple[str, ...], organization: str | None, form: str) -> None:
    """Put people into a team: they have its roles at once."""

    def changed(item: Json) -> Json:
        return {"members": list(dict.fromkeys([*handles(item), *members]))}

    print_one(session.api.edit(f"/teams/{_find(session, name, organization)['id']}", changed), form, _show)


@team.command("remove")
@click.argument("name", metavar="TEAM")
@MEMBERS
@ORGANIZATION
@output_option
@pass_session
def team_remove(session: Session, name: str, members: tuple[str, ...], organization: str | None, form: str) -> None:
    """Take people out of a team: what it gave them ends at once."""

    def changed(item: Json) -> Json:
        now = handles(item)
        missing = [member for member in members if member not in now]
        if missing:
            sentence = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not in {name}."
            raise CliError(sentence, hint="See who is with `marina team list`.", exit_code=ExitCode.NOT_FOUND)
        return {"members": [member for member in now if member not in members]}

    print_one(session.api.edit(f"/teams/{_find(session, name, organization)['id']}", changed), form, _show)


@team.command("delete")
@click.argument("name", metavar="TEAM")
@ORGANIZATION
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@pass_session
def team_delete(session: Session, name: str, organization: str | None, yes: bool) -> None:
    """Delete a team, and with it the roles that it was given."""
    item = _find(session, name, organization)
    if not yes:
        click.confirm(f"Delete the team {_path(item)}? Its members lose what it gave them.", abort=True, err=True)
    session.api.change("DELETE", f"/teams/{item['id']}")
    click.echo(f"The team {_path(item)} is gone.")


def _find(session: Session, name: str, organization: str | None) -> Json:
    if is_id(name):
        return session.api.get(f"/teams/{name}")
    params = {"name": name} | ({"organization": organization} if organization else {})
    found = [item for item in session.api.pages("/teams", params) if item.get("name") == name]
    if len(found) > 1:
        raise UsageProblem(f"Several organizations have a team {name!r}.", hint="Say which with --organization.")
    if not found:
        raise CliError(
            f"There is no team {name!r} that you may see.",
            hint="See what there is with `marina team list`.",
            exit_code=ExitCode.NOT_FOUND,
        )
    return found[0]


def _path(item: Json) -> str:
    return f"{word(item.get('organization'))}/{word(item.get('name'))}"


def _show(item: Json) -> None:
    click.echo(f"{_path(item)}: {', '.join(handles(item)) or 'nobody is in it yet'}.")
