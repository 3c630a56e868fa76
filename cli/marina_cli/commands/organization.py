"""`marina organization`: what an organization gives its members."""

from __future__ import annotations

import click

from marina_cli.errors import UsageProblem
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
    if not body:
        raise UsageProblem("Nothing to change was given.", hint="See `marina organization set --help`.")
    print_one(session.api.change("PATCH", f"/organizations/{organization_find(session, name)}", body), form, _show)


def _show(item: Json) -> None:
    click.echo(word(item.get("name")))
    print_fields(
        [
            ("personal projects", word(item.get("personal_projects"))),
            ("clusters in each", word(item.get("personal_project_clusters"))),
            ("days they live", word(item.get("personal_project_lifetime_days"))),
            ("projects a member may make", word(item.get("member_projects"))),
        ]
    )
