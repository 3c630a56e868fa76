"""`marina service-account`: programs that sign in by tokens of their own."""

from __future__ import annotations

import click

from marina_cli.commands.dry_run import dry_run_option, dry_run_tell
from marina_cli.commands.sharing import ROLE_HELP
from marina_cli.durations import age
from marina_cli.lookup import service_account_find
from marina_cli.output import Column, note, output_option, print_fields, print_list, print_one
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
        path = _path(item)
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


@service_account.command("get")
@click.argument("name")
@project_option
@output_option
@pass_session
def service_account_get(session: Session, name: str, project: str | None, form: str) -> None:
    """Show the service account NAME."""
    print_one(_found(session, name, project), form, _show)


@service_account.command("update")
@click.argument("name")
@project_option
@click.option("--description", metavar="TEXT", required=True, help="For whoever wonders what it is; empty for none.")
@dry_run_option
@output_option
@pass_session
def service_account_update(
    session: Session, name: str, project: str | None, description: str, dry_run: bool, form: str
) -> None:
    """Change what the service account NAME is said to be for."""
    found = _found(session, name, project)
    body = {"description": description}
    changed = session.api.change("PATCH", f"/service-accounts/{found['id']}", body, dry_run=dry_run)
    if dry_run:
        dry_run_tell(changed, form, f"{_path(found)} would be changed.")
        return
    print_one(changed, form, _show)


@service_account.command("delete")
@click.argument("name")
@project_option
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@dry_run_option
@pass_session
def service_account_delete(session: Session, name: str, project: str | None, yes: bool, dry_run: bool) -> None:
    """Delete the service account NAME: its tokens end at once, and its name is not free again."""
    found = _found(session, name, project)
    if not (yes or dry_run):
        click.confirm(f"Delete {_path(found)}? Its tokens and kubeconfigs end.", abort=True, err=True)
    session.api.change("DELETE", f"/service-accounts/{found['id']}", dry_run=dry_run)
    note(f"{_path(found)} would be deleted. Nothing was done." if dry_run else f"Deleted {_path(found)}.")


def _found(session: Session, name: str, project: str | None) -> Json:
    return service_account_find(session, name if "/" in name or not project else f"{project}/{name}")


def _path(item: Json) -> str:
    return f"{project_path(item.get('project'))}/{word(item.get('name'))}"


def _show(item: Json) -> None:
    click.echo(_path(item))
    print_fields(
        [
            ("description", word(item.get("description"))),
            ("user", word((item.get("user") or {}).get("handle"))),
            ("id", word(item.get("id"))),
        ]
    )
