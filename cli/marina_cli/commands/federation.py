"""`marina federation`: which tokens of other issuers let in as a service account."""

from __future__ import annotations

import click

from marina_cli.commands.dry_run import dry_run_option, dry_run_tell
from marina_cli.errors import CliError, ExitCode, UsageProblem
from marina_cli.lookup import is_id, service_account_find
from marina_cli.output import Column, note, output_option, print_fields, print_list, print_one
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, labels, project_path, word

COLUMNS = (
    Column("NAME", lambda item: word(item.get("name"))),
    Column("SERVICE ACCOUNT", lambda item: _account_path(item)),
    Column("ISSUER", lambda item: word(item.get("issuer"))),
    Column("CLAIMS", lambda item: labels(item.get("claims"))),
    Column("AUDIENCE", lambda item: word(item.get("audience")), wide=True),
    Column("ID", lambda item: word(item.get("id")), wide=True),
)
ISSUERS = {"github": "https://token.actions.githubusercontent.com", "gitlab": "https://gitlab.com"}
_account = click.option(
    "--service-account", "account", metavar="ORG/PROJECT/NAME", required=True, help="As whom it lets in."
)


def _account_path(item: Json) -> str:
    account = item.get("service_account") or {}
    return f"{project_path(account.get('project'))}/{word(account.get('name'))}"


@click.group()
def federation() -> None:
    """CI without secrets: which tokens of GitHub, GitLab or another OIDC issuer let in as a service account."""


@federation.command("create")
@click.argument("name")
@_account
@click.option("--issuer", metavar="URL", required=True, help="Its address; `github` and `gitlab` are known.")
@click.option("--audience", metavar="TEXT", help="What its tokens must be for; this server's address unless given.")
@click.option(
    "--claim",
    "claims",
    multiple=True,
    required=True,
    metavar="NAME=VALUE",
    help="What a token must say; * stands for anything. Again for more; twice the same name: one must fit.",
)
@output_option
@pass_session
def federation_create(
    session: Session, name: str, account: str, issuer: str, audience: str | None, claims: tuple[str, ...], form: str
) -> None:
    """Let in whoever has a token of this issuer in which all claims are as said."""
    body: Json = {
        "service_account": service_account_find(session, account)["id"],
        "name": name,
        "issuer": ISSUERS.get(issuer, issuer),
        "audience": audience or session.context.server,
        "claims": _claims(claims),
    }
    made = session.api.change("POST", "/federation-rules", body, repeat=False)

    def people(item: Json) -> None:
        click.echo(f"{_account_path(item)} lets in by {word(item.get('name'))}: {labels(item.get('claims'))}.")
        note(
            f"In its jobs: `marina login {session.context.server} --federated --service-account {_account_path(item)}`."
        )

    print_one(made, form, people)


def _claims(given: tuple[str, ...]) -> Json:
    found: dict[str, list[str]] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name or not value:
            raise UsageProblem(f"--claim {each!r} is no claim.", hint="Write it like --claim repository=acme/shop.")
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


@federation.command("list")
@output_option
@pass_session
def federation_list(session: Session, form: str) -> None:
    """List the rules of your projects' service accounts."""
    empty = "No service account of your projects lets anybody in by another issuer's token."
    print_list(list(session.api.pages("/federation-rules")), form, COLUMNS, empty=empty)


@federation.command("get")
@click.argument("name")
@_account
@output_option
@pass_session
def federation_get(session: Session, name: str, account: str, form: str) -> None:
    """Show the rule NAME (or id)."""
    print_one(_found(session, name, account), form, _show)


@federation.command("update")
@click.argument("name")
@_account
@click.option("--issuer", metavar="URL", help="Its address; `github` and `gitlab` are known.")
@click.option("--audience", metavar="TEXT", help="What its tokens must be for.")
@click.option(
    "--claim",
    "claims",
    multiple=True,
    metavar="NAME=VALUE",
    help="What a token must say, in place of all claims so far. Again for more.",
)
@dry_run_option
@output_option
@pass_session
def federation_update(
    session: Session,
    name: str,
    account: str,
    issuer: str | None,
    audience: str | None,
    claims: tuple[str, ...],
    dry_run: bool,
    form: str,
) -> None:
    """Change whom the rule NAME (or id) lets in. Tokens that it gave before end."""
    given = {"issuer": ISSUERS.get(issuer or "", issuer), "audience": audience, "claims": _claims(claims) or None}
    body: Json = {key: value for key, value in given.items() if value is not None}
    if not body:
        raise UsageProblem("Nothing to change was given.", hint="See `marina federation update --help`.")
    found = _found(session, name, account)
    changed = session.api.change("PATCH", f"/federation-rules/{found['id']}", body, dry_run=dry_run)
    if dry_run:
        dry_run_tell(changed, form, f"The rule {word(found.get('name'))} would be changed.")
        return
    print_one(changed, form, _show)


@federation.command("delete")
@click.argument("name")
@_account
@pass_session
def federation_delete(session: Session, name: str, account: str) -> None:
    """Take the rule NAME (or id) away. Tokens that it gave end at once."""
    found = _found(session, name, account)
    session.api.change("DELETE", f"/federation-rules/{found['id']}")
    note(f"Deleted {word(found.get('name'))}.")


def _found(session: Session, name: str, account: str) -> Json:
    service_account = service_account_find(session, account)["id"]
    rules = session.api.pages("/federation-rules", {"service_account": service_account})
    found = next((each for each in rules if each["name"] == name or (is_id(name) and each["id"] == name.lower())), None)
    if found is None:
        raise CliError(f"There is no rule {name!r}.", exit_code=ExitCode.NOT_FOUND)
    return found


def _show(item: Json) -> None:
    click.echo(f"{_account_path(item)} lets in by {word(item.get('name'))}: {labels(item.get('claims'))}.")
    print_fields(
        [
            ("issuer", word(item.get("issuer"))),
            ("audience", word(item.get("audience"))),
            ("id", word(item.get("id"))),
        ]
    )
