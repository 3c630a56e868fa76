"""`marina service-account`: programs that sign in by tokens of their own."""

from __future__ import annotations

import click

from marina_cli.commands.sharing import ROLE_HELP
from marina_cli.durations import age
from marina_cli.lookup import service_account_find
from marina_cli.output import Column, note, output_option, print_list, print_one
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json, project_path, word

COLUMNS = (
    Column("NAME", lambda item: word(item.get("name"))),
    Column("PROJECT", lambda item: project_path(item.get("project"))),
    Column("DESCRIPTION", lambda item: word(item.get("description"))),
    Column("USER", lambda item: word((item.get("user") or {}).get("handle")), wide=True),
    Column("ID", lambda item: word(item.get("id")), wide=True),
)


@click.group("service-account")
def service_account() -> None:
    """Programs that work in a project, such as CI, without being a person."""


@service_account.command("create")
@click.argument("name")
@project_option
@click.option("--role", metavar="ROLE", help=f"In the project; developer unless given: {ROLE_HELP}")
@click.option("--description", metavar="TEXT", help="For whoever wonders what it is.")
@output_option
@pass_session
def service_account_create(
    session: Session, name: str, project: str | None, role: str | None, description: str | None, form: str
) -> None:
    """Make the service account NAME. It has no token yet."""
    body: Json = {"project": session.project(project), "name": name}
    body |= {key: value for key, value in (("role", role), ("description", description)) if value}
    made = session.api.change("POST", "/service-accounts", body, repeat=False)

    def people(item: Json) -> None:
        path = f"{project_path(item.get('project'))}/{word(item.get('name'))}"
        click.echo(f"Made the service account {path}.")
        note(f"Make a token with `marina token create NAME --service-account {path}`, or let its CI in without one:")
        note(f"`marina federation create NAME --service-account {path} --issuer URL --claim NAME=VALUE`.")

    print_one(made, form, people)


@service_account.command("list")
@project_option
@output_option
@pass_session
def service_account_list(session: Session, project: str | None, form: str) -> None:
    """List the service accounts of your projects."""
    items = list(session.api.pages("/service-accounts", {"project": project} if project else {}))
    now = session.clock.now()
    columns = (*COLUMNS[:3], Column("AGE", lambda item: age(item.get("created_at"), now)), *COLUMNS[3:])
    print_list(items, form, columns, empty="There is no service account in your projects.")


@service_account.command("delete")
@click.argument("name")
@project_option
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@pass_session
def service_account_delete(session: Session, name: str, project: str | None, yes: bool) -> None:
    """Delete the service account NAME: its tokens end at once, and its name is not free again."""
    found = service_account_find(session, name if "/" in name or not project else f"{project}/{name}")
    path = f"{project_path(found.get('project'))}/{word(found.get('name'))}"
    if not yes:
        click.confirm(f"Delete {path}? Its tokens and kubeconfigs end.", abort=True, err=True)
    session.api.change("DELETE", f"/service-accounts/{found['id']}")
    note(f"Deleted {path}.")
