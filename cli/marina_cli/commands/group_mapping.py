"""`marina group-mapping`: what groups of the company's sign-in give in an organization."""

from __future__ import annotations

import click

from marina_cli.errors import CliError, ExitCode, UsageProblem
from marina_cli.lookup import is_id
from marina_cli.output import Column, output_option, print_list, print_one
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, project_path, word

COLUMNS = (
    Column("GROUP", lambda item: word(item.get("group"))),
    Column("GIVES", lambda item: gives(item)),
    Column("ORGANIZATION", lambda item: word(item.get("organization"))),
    Column("PEOPLE", lambda item: word(item.get("people"))),
    Column("ID", lambda item: word(item.get("id"))),
    Column("ISSUER", lambda item: word(item.get("issuer")), wide=True),
)


def gives(item: Json) -> str:
    """What a mapping gives, in words."""
    if item.get("team"):
        return f"team {word(item['team'])}"
    project = item.get("project")
    return f"{word(item.get('role'))} of {project_path(project) if project else word(item.get('organization'))}"


@click.group("group-mapping")
def group_mapping() -> None:
    """Groups of the company's sign-in (OpenID Connect), and the team or role that each gives."""


@group_mapping.command("list")
@click.option("--organization", metavar="ORG", help="Only those of this organization.")
@output_option
@pass_session
def mapping_list(session: Session, organization: str | None, form: str) -> None:
    """List the mappings of the organizations that you administer."""
    params = {"organization": organization} if organization else {}
    items = list(session.api.pages("/group-mappings", params))
    empty = "No group gives anything. Begin with `marina group-mapping add GROUP --organization ORG --role member`."
    print_list(items, form, COLUMNS, empty=empty, name="id")


@group_mapping.command("add")
@click.argument("group")
@click.option("--organization", metavar="ORG", help="Where it gives something; left out with --project.")
@click.option("--team", metavar="TEAM", help="Puts the group's people into this team.")
@click.option("--role", metavar="ROLE", help="Gives them this role in the organization, or in the --project.")
@click.option("--project", "-p", metavar="ORG/NAME", help="The role is of this project.")
@click.option("--issuer", metavar="ID", help="Whose group it is, where there are several issuers.")
@output_option
@pass_session
def mapping_add(
    session: Session,
    group: str,
    organization: str | None,
    team: str | None,
    role: str | None,
    project: str | None,
    issuer: str | None,
    form: str,
) -> None:
    """Let GROUP give a team or a role: to each of its people at their next sign-in."""
    organization = organization or (project.partition("/")[0] if project and "/" in project else None)
    if organization is None:
        raise UsageProblem("Say in which organization.", hint="Use --organization, or --project ORG/NAME.")
    if (team is None) == (role is None):
        raise UsageProblem("Give exactly one of --team and --role.")
    body = {
        "group": group,
        "organization": organization,
        "team": team,
        "role": role,
        "project": project,
        "issuer": issuer,
    }
    given = {key: value for key, value in body.items() if value is not None}
    made = session.api.change("POST", "/group-mappings", given, repeat=False)
    sentence = f"Who is in {word(made.get('group'))} gets {gives(made)} at their next sign-in."
    print_one(made, form, lambda _: click.echo(sentence), name="id")


@group_mapping.command("remove")
@click.argument("mapping", metavar="ID|GROUP")
@click.option("--organization", metavar="ORG", help="Where the group's name alone is not enough.")
@output_option
@pass_session
def mapping_remove(session: Session, mapping: str, organization: str | None, form: str) -> None:
    """Remove a mapping, and take at once what it gave; roles that somebody gave by hand stay."""
    item = _find(session, mapping, organization)
    session.api.change("DELETE", f"/group-mappings/{item['id']}")
    sentence = f"{word(item.get('group'))} does not give {gives(item)} any more, and who had it from there lost it."
    print_one(item, form, lambda _: click.echo(sentence), name="id")


def _find(session: Session, given: str, organization: str | None) -> Json:
    if is_id(given):
        return session.api.get(f"/group-mappings/{given}")
    params = {"group": given} | ({"organization": organization} if organization else {})
    found = [item for item in session.api.pages("/group-mappings", params) if item.get("group") == given]
    if len(found) == 1:
        return found[0]
    several = f"{given} gives several things." if found else f"No mapping is of a group {given!r}."
    hint = "`marina group-mapping list` shows the ids."
    raise CliError(several, hint=hint, exit_code=ExitCode.CONFLICT if found else ExitCode.NOT_FOUND)
