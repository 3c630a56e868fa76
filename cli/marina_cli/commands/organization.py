"""`marina organization`: what an organization gives its members."""

from __future__ import annotations

import click

from marina_cli.commands.dry_run import deleted_tell, dry_run_option
from marina_cli.errors import UsageProblem
from marina_cli.given import number_or_none
from marina_cli.lookup import organization_find
from marina_cli.output import Column, output_option, print_fields, print_list, print_one
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, word

COLUMNS = (
    Column("NAME", lambda item: word(item.get("name"))),
    Column("PERSONAL PROJECTS", lambda item: word(item.get("personal_projects"))),
    Column("PROJECTS A MEMBER", lambda item: word(item.get("member_projects"))),
    Column("ID", lambda item: word(item.get("id")), wide=True),
)


@click.group()
def organization() -> None:
    """Organizations and their settings."""


@organization.command("list")
@output_option
@pass_session
def organization_list(session: Session, form: str) -> None:
    """List the organizations in which you have a role."""
    items = list(session.api.pages("/organizations"))
    print_list(items, form, COLUMNS, empty="You have a role in no organization.")


@organization.command("get")
@click.argument("name", metavar="ORG")
@output_option
@pass_session
def organization_get(session: Session, name: str, form: str) -> None:
    """Show one organization in which you have a role."""
    print_one(session.api.get(f"/organizations/{organization_find(session, name)}"), form, _show)


@organization.command("delete")
@click.argument("name", metavar="ORG")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@dry_run_option
@pass_session
def organization_delete(session: Session, name: str, yes: bool, dry_run: bool) -> None:
    """Delete an organization with its teams and roles. While it has projects or hosts, that is refused."""
    key = organization_find(session, name)
    if not (yes or dry_run):
        click.confirm(f"Delete the organization {name}? Its teams and roles end.", abort=True, err=True)
    session.api.change("DELETE", f"/organizations/{key}", dry_run=dry_run)
    deleted_tell(f"The organization {name}", dry_run)


@organization.command("create")
@click.argument("name", metavar="ORG")
@click.option("--display-name", help="What people call it.")
@click.option("--admin", metavar="HANDLE", help="Its first admin; you unless given.")
@output_option
@pass_session
def organization_create(session: Session, name: str, display_name: str | None, admin: str | None, form: str) -> None:
    """Make an organization. For platform staff."""
    given = {"name": name, "display_name": display_name, "admin": admin}
    body: Json = {key: value for key, value in given.items() if value is not None}
    print_one(session.api.change("POST", "/organizations", body, repeat=False), form, _show)


@organization.command("set")
@click.argument("name", metavar="ORG")
@click.option("--display-name", help="What people call it.")
@click.option(
    "--personal-projects/--no-personal-projects", default=None, help="Whether each member gets a project of their own."
)
@click.option("--personal-project-clusters", type=int, help="How many clusters a new personal project may have.")
@click.option("--personal-project-lifetime-days", type=int, help="How long clusters in a new one are meant to live.")
@click.option("--member-projects", type=int, help="How many projects a member may make; 0: none.")
@click.option(
    "--token-maximum-days", metavar="N|none", help="How long tokens hold at most; none: as the platform says."
)
@output_option
@pass_session
def organization_set(
    session: Session,
    name: str,
    display_name: str | None,
    personal_projects: bool | None,
    personal_project_clusters: int | None,
    personal_project_lifetime_days: int | None,
    member_projects: int | None,
    token_maximum_days: str | None,
    form: str,
) -> None:
    """Change what an organization gives its members. For its admins."""
    given: Json = {
        "display_name": display_name,
        "personal_projects": personal_projects,
        "personal_project_clusters": personal_project_clusters,
        "personal_project_lifetime_days": personal_project_lifetime_days,
        "member_projects": member_projects,
    }
    body = {key: value for key, value in given.items() if value is not None}
    if token_maximum_days is not None:
        body["token_maximum_days"] = number_or_none(token_maximum_days)
    if not body:
        raise UsageProblem("Nothing to change was given.", hint="See `marina organization set --help`.")
    print_one(session.api.change("PATCH", f"/organizations/{organization_find(session, name)}", body), form, _show)


def _show(item: Json) -> None:
    click.echo(word(item.get("name")))
    print_fields(
        [
            ("called", word(item.get("display_name"))),
            ("personal projects", word(item.get("personal_projects"))),
            ("clusters in each", word(item.get("personal_project_clusters"))),
            ("days they live", word(item.get("personal_project_lifetime_days"))),
            ("projects a member may make", word(item.get("member_projects"))),
            ("days tokens hold at most", word(item.get("token_maximum_days"))),
            ("id", word(item.get("id"))),
        ]
    )
