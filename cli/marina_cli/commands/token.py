"""`marina token`: access tokens of your own and of service accounts."""

from __future__ import annotations

import re

import click

from marina_cli.completing import complete_projects
from marina_cli.durations import DURATION, minute
from marina_cli.errors import CliError, ExitCode
from marina_cli.lookup import is_id, service_account_find
from marina_cli.output import Column, note, output_option, print_list, print_one
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, project_path, word

COLUMNS = (
    Column("PREFIX", lambda item: f"mar_{word(item.get('prefix'))}"),
    Column("NAME", lambda item: word(item.get("name"))),
    Column("UNTIL", lambda item: minute(item.get("expires_at"))),
    Column("LAST USED", lambda item: minute(item.get("last_used_at"))),
    Column("ACTIONS", lambda item: word(item.get("actions")) if item.get("actions") else "all"),
    Column("PROJECTS", lambda item: word(item.get("project_names")) if item.get("projects") else "all"),
    Column("MADE BY", lambda item: word(item.get("created_by")), wide=True),
    Column("ID", lambda item: word(item.get("id")), wide=True),
)
_PREFIX = re.compile(r"(?:mar_)?([a-z0-9]{8})(?:_.*)?")


_account = click.option(
    "--service-account", "account", metavar="ORG/PROJECT/NAME", help="Of this service account instead of your own."
)


@click.group()
def token() -> None:
    """Access tokens: for scripts, limited to what they need."""


@token.command("create")
@click.argument("name")
@click.option("--action", "actions", multiple=True, metavar="A", help="It may do only this; again for more.")
@click.option(
    "--project",
    "projects",
    multiple=True,
    metavar="ORG/NAME",
    shell_complete=complete_projects,
    help="It reaches only this project; again for more.",
)
@click.option(
    "--for", "expires_in", type=DURATION, default=None, help="How long it holds, such as 7d; 30d unless given."
)
@_account
@output_option
@pass_session
def token_create(
    session: Session,
    name: str,
    actions: tuple[str, ...],
    projects: tuple[str, ...],
    expires_in: int | None,
    account: str | None,
    form: str,
) -> None:
    """Make a token called NAME and print it, once.

    Actions are those of the role table (docs/permissions.md), such as virtualcluster.create. What a token may not even
    see is not there for it: give it project.view and virtualcluster.view too.
    """
    body: Json = {"name": name}
    given = (("actions", list(actions)), ("projects", list(projects)), ("expires_in", expires_in))
    body |= {key: value for key, value in given if value}
    made = session.api.change("POST", _path(session, account), body, repeat=False)

    def people(item: Json) -> None:
        click.echo(word(item.get("token")))
        note(f"It holds until {minute(item.get('expires_at'))} and is not shown again.")

    print_one(made, form, people, name="prefix")


@token.command("list")
@_account
@output_option
@pass_session
def token_list(session: Session, account: str | None, form: str) -> None:
    """List tokens, without their text."""
    items = list(session.api.pages(_path(session, account)))
    if form in ("table", "wide") and any(item.get("projects") for item in items):
        names = {str(each["id"]): project_path(each) for each in session.me.get("projects", [])}
        for item in items:
            item["project_names"] = [names.get(str(key), str(key)) for key in item.get("projects") or ()]
    print_list(items, form, COLUMNS, empty="There is no token.", name="prefix")


@token.command("revoke")
@click.argument("which")
@_account
@pass_session
def token_revoke(session: Session, which: str, account: str | None) -> None:
    """End the token WHICH (its id, prefix or name) at once.

    Platform staff end anybody's by its prefix, as logs and audit rows name it.
    """
    path = _path(session, account)
    found = [item for item in session.api.pages(path) if _is(item, which)]
    if len(found) > 1:
        raise CliError(
            f"{len(found)} tokens are called {which!r}.", hint="Name one by its prefix: see `marina token list`."
        )
    if found:
        session.api.change("DELETE", f"{path}/{found[0]['id']}")
        note(f"Revoked {word(found[0].get('name'))} (mar_{word(found[0].get('prefix'))}).")
        return
    prefix = _PREFIX.fullmatch(which)
    if account is None and prefix and session.me.get("is_staff"):
        session.api.change("POST", "/access-tokens/revoke", {"prefix": prefix[1]})
        note(f"Revoked mar_{prefix[1]}.")
        return
    raise CliError(
        f"There is no token {word(which)!r}.",
        hint="See what there is with `marina token list`.",
        exit_code=ExitCode.NOT_FOUND,
    )


def _is(item: Json, which: str) -> bool:
    prefix = _PREFIX.fullmatch(which)
    by_id = is_id(which) and item.get("id") == which.lower()
    return by_id or item.get("name") == which or (prefix is not None and item.get("prefix") == prefix[1])


def _path(session: Session, account: str | None) -> str:
    if account is None:
        return "/access-tokens"
    return f"/service-accounts/{service_account_find(session, account)['id']}/tokens"
