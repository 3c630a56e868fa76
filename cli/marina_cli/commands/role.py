"""`marina role`: what the roles of an organization allow, and roles of its own."""

from __future__ import annotations

import click

from marina_cli.errors import UsageProblem
from marina_cli.lookup import organization_find
from marina_cli.output import Column, output_option, print_fields, print_list, print_one
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, word

COLUMNS = (
    Column("NAME", lambda item: word(item.get("name"))),
    Column("KIND", lambda item: "built-in" if item.get("built_in") else "own"),
    Column("GIVEN FOR", lambda item: ", ".join(item.get("scopes", []))),
    Column("KUBECONFIG", lambda item: word(item.get("kubeconfig_level"))),
    Column("GIVEN", lambda item: word(item.get("bindings"))),
    Column("DESCRIPTION", lambda item: word(item.get("description"))),
    Column("ACTIONS", lambda item: ", ".join(item.get("actions", [])), wide=True),
)
ORGANIZATION = click.option("--organization", metavar="ORG", required=True, help="The organization whose role it is.")
ACTION = click.option(
    "--action", "actions", multiple=True, metavar="ACTION", help="What it allows, such as virtualcluster.view; several."
)
DESCRIPTION = click.option("--description", help="What it is for.")


@click.group()
def role() -> None:
    """Roles that can be given in an organization: the built-in ones, and the organization's own."""


@role.command("list")
@ORGANIZATION
@output_option
@pass_session
def role_list(session: Session, organization: str, form: str) -> None:
    """List the roles, the built-in ones first."""
    items = session.api.get(_path(session, organization)).get("results", [])
    print_list(items, form, COLUMNS, empty="There is no role.")


@role.command("get")
@click.argument("name")
@ORGANIZATION
@output_option
@pass_session
def role_get(session: Session, name: str, organization: str, form: str) -> None:
    """Show what the role NAME allows."""
    print_one(session.api.get(f"{_path(session, organization)}/{name}"), form, _show)


@role.command("create")
@click.argument("name")
@ORGANIZATION
@ACTION
@DESCRIPTION
@output_option
@pass_session
def role_create(
    session: Session, name: str, organization: str, actions: tuple[str, ...], description: str | None, form: str
) -> None:
    """Define the role NAME, with nothing that you may not do yourself."""
    if not actions:
        raise UsageProblem("Say what it allows.", hint="Use --action, several times for several actions.")
    body: Json = {"name": name, "actions": list(actions)}
    if description is not None:
        body["description"] = description
    print_one(session.api.change("POST", _path(session, organization), body, repeat=False), form, _show)


@role.command("update")
@click.argument("name")
@ORGANIZATION
@ACTION
@DESCRIPTION
@output_option
@pass_session
def role_update(
    session: Session, name: str, organization: str, actions: tuple[str, ...], description: str | None, form: str
) -> None:
    """Change the role NAME: --action names all that it allows from now on, for everybody who has it."""
    body: Json = {"actions": list(actions)} if actions else {}
    if description is not None:
        body["description"] = description
    if not body:
        raise UsageProblem("Nothing to change was given.", hint="See `marina role update --help`.")
    print_one(session.api.change("PATCH", f"{_path(session, organization)}/{name}", body), form, _show)


@role.command("delete")
@click.argument("name")
@ORGANIZATION
@click.option("--take", is_flag=True, help="Take it from everybody who has it first.")
@pass_session
def role_delete(session: Session, name: str, organization: str, take: bool) -> None:
    """Delete the role NAME. While somebody has it, that is refused without --take."""
    session.api.change("DELETE", f"{_path(session, organization)}/{name}{'?take=true' if take else ''}")
    click.echo(f"The role {name} of {organization} is gone.")


def _path(session: Session, organization: str) -> str:
    return f"/organizations/{organization_find(session, organization)}/roles"


def _show(item: Json) -> None:
    click.echo(word(item.get("name")))
    print_fields(
        [
            ("description", word(item.get("description"))),
            ("given for", ", ".join(item.get("scopes", []))),
            ("kubeconfig inside", word(item.get("kubeconfig_level"))),
            ("given so often", word(item.get("bindings"))),
            ("allows", ", ".join(item.get("actions", []))),
        ]
    )
