"""`marina member`: who has which role in an organization or a project."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import click

from marina_cli.commands.sharing import ROLE_HELP, subject_is, subject_text
from marina_cli.completing import complete_projects
from marina_cli.durations import DURATION, minute
from marina_cli.errors import CliError, ExitCode, UsageProblem
from marina_cli.given import subject_parse
from marina_cli.output import Column, output_option, print_list, print_one
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, project_path, word

COLUMNS = (
    Column("WHO", subject_text),
    Column("ROLE", lambda item: word(item.get("role"))),
    Column("IN", lambda item: place_text(item)),
    Column("UNTIL", lambda item: minute(item.get("expires_at"))),
    Column("SINCE", lambda item: minute(item.get("created_at")), wide=True),
    Column("ID", lambda item: word(item.get("id")), wide=True),
)


def place_text(item: Json) -> str:
    """Where a role holds: `organization acme`, or `acme/payments`."""
    if item.get("project"):
        return project_path(item["project"])
    return f"organization {word(item.get('organization'))}"


def place_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options `--organization` and `--project`, of which one is given."""
    organization = click.option(
        "--organization", metavar="ORG", help="In this organization, all its projects included."
    )
    project = click.option(
        "--project", "-p", metavar="ORG/NAME", shell_complete=complete_projects, help="In this project alone."
    )
    return organization(project(function))


@click.group()
def member() -> None:
    """Members: who has which role in an organization or a project, given and taken."""


@member.command("list")
@place_options
@output_option
@pass_session
def member_list(session: Session, organization: str | None, project: str | None, form: str) -> None:
    """List who has a role there; without --organization and --project those of the default project."""
    if not organization:
        project = session.project(project)
    items = _bindings(session, organization, project)
    print_list(items, form, COLUMNS, empty="Nobody has a role there that you may see.", name="id")


@member.command("add")
@click.argument("who")
@place_options
@click.option(
    "--role",
    metavar="ROLE",
    required=True,
    help=f"Of an organization: member, auditor, admin; of a project: {ROLE_HELP}",
)
@click.option("--for", "expires_in", type=DURATION, default=None, help="For how long, such as 7d; else for good.")
@output_option
@pass_session
def member_add(
    session: Session,
    who: str,
    organization: str | None,
    project: str | None,
    role: str,
    expires_in: int | None,
    form: str,
) -> None:
    """Give WHO (a handle, team:NAME or service-account:NAME) a role. For admins of the project or organization."""
    body: Json = {**subject_parse(who, "WHO"), "role": role, **_place(organization, project)}
    if expires_in is not None:
        body["expires_at"] = (session.clock.now() + timedelta(seconds=expires_in)).isoformat()
    made = session.api.change("POST", "/role-bindings", body, repeat=False)
    until = f" until {minute(made.get('expires_at'))}" if made.get("expires_at") else ""
    print_one(made, form, lambda _: click.echo(f"{who} is {role} of {place_text(made)}{until}."), name="id")


@member.command("remove")
@click.argument("who")
@place_options
@click.option("--role", metavar="ROLE", help="Only this role; every one unless given.")
@pass_session
def member_remove(session: Session, who: str, organization: str | None, project: str | None, role: str | None) -> None:
    """Take from WHO the roles that they were given there themselves; access ends at once."""
    _place(organization, project)
    subject_parse(who, "WHO")
    found = [item for item in _bindings(session, organization, project) if subject_is(item, who)]
    theirs = [item for item in found if role in (None, item.get("role"))]
    if not theirs:
        raise CliError(
            f"{who} has no such role there.",
            hint="See who has with `marina member list`: somebody's role may be a team's, or the organization's.",
            exit_code=ExitCode.NOT_FOUND,
        )
    for item in theirs:
        session.api.change("DELETE", f"/role-bindings/{item['id']}")
        click.echo(f"{who} is no longer {word(item.get('role'))} of {place_text(item)}.")


def _place(organization: str | None, project: str | None) -> dict[str, str]:
    """Where, as the API takes it; UsageProblem unless exactly one is given."""
    given = {key: value for key, value in (("organization", organization), ("project", project)) if value}
    if len(given) != 1:
        raise UsageProblem("Say where: exactly one of --organization and --project.")
    return given


def _bindings(session: Session, organization: str | None, project: str | None) -> list[Json]:
    """The roles of this very place: neither of one cluster alone, nor of the projects of an organization."""
    place = _place(organization, project)
    noun = next(iter(place))
    return [item for item in session.api.pages("/role-bindings", place) if item.get(noun)]
