"""`marina login`, `logout`, `whoami`."""

from __future__ import annotations

import platform
import sys
from dataclasses import replace
from pathlib import Path

import click

from marina_cli.client import Api
from marina_cli.config import Config, Context, config_save
from marina_cli.device_login import browser_possible, device_login, terminal_there
from marina_cli.durations import DURATION
from marina_cli.errors import CliError, UsageProblem
from marina_cli.federated import id_token
from marina_cli.output import note, output_option, print_fields, print_one
from marina_cli.server_address import server_address
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, project_path, word


@click.command()
@click.argument("server")
@click.option("--handle", metavar="H", help="Log in with this handle and its password instead of the browser.")
@click.option("--token", metavar="T", help="Use this token. Others on the machine may see it: prefer --token-stdin.")
@click.option("--token-stdin", is_flag=True, help="Read the token from standard input.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--web", is_flag=True, help="Log in through the browser, also where nobody is at a terminal.")
@click.option("--browser/--no-browser", default=None, help="Open the page in a browser, or only show its address.")
@click.option("--expires-in", type=DURATION, default="30d", show_default=True, help="How long the new token holds.")
@click.option("--context", metavar="NAME", help="Store it under this name; the server's name unless given.")
@click.option("--federated", is_flag=True, help="In CI: log in with the job's own token, without a secret.")
@click.option("--service-account", metavar="ORG/PROJECT/NAME", help="With --federated: as whom.")
@click.option("--token-file", type=click.Path(), metavar="FILE", help="With --federated: the job's token is in FILE.")
@click.option("--audience", metavar="TEXT", help="With --federated: what the job's token is for; SERVER unless given.")
@click.option("--ca-file", type=click.Path(), help="Trust this CA (PEM) for the server.")
@click.option("--insecure-http", is_flag=True, help="Allow plain http to another machine.")
@pass_session
def login(
    session: Session,
    server: str,
    handle: str | None,
    token: str | None,
    token_stdin: bool,
    password_stdin: bool,
    web: bool,
    browser: bool | None,
    expires_in: int,
    context: str | None,
    federated: bool,
    service_account: str | None,
    token_file: str | None,
    audience: str | None,
    ca_file: str | None,
    insecure_http: bool,
) -> None:
    """Log in to SERVER and make it the current one.

    At a terminal it shows a code that you allow in your browser, signed in there however you sign in. With --handle,
    or where nobody is at a terminal, it takes handle and password. It stores a new token and never a password. In CI
    --federated takes the token that GitHub or GitLab gives the job, and gets a short one of a service account for it.
    """
    if federated != (service_account is not None) or (not federated and (token_file or audience)):
        raise UsageProblem("--federated and --service-account ORG/PROJECT/NAME belong together.")
    if sum((token is not None, token_stdin, password_stdin, web, federated)) > 1:
        raise UsageProblem("Give only one of --token, --token-stdin, --password-stdin, --web and --federated.")
    insecure_http = insecure_http or session.insecure_http
    ca_file = ca_file or session.ca_file
    target = Context(
        name="",
        server=server_address(server, insecure_http=insecure_http),
        ca_file=str(Path(ca_file).absolute()) if ca_file else "",
        insecure_http=insecure_http,
    )
    if token_stdin:
        token = _first_line("token")
    if service_account is not None:
        target = _token_exchanged(session, target, service_account, token_file, audience or target.server)
    elif token is not None:
        target = replace(target, token=token.strip())
    elif web or (handle is None and not password_stdin and terminal_there()):
        opens = browser_possible(session.environment) if browser is None else browser
        target = _device_token_made(session, target, opens, expires_in)
    else:
        target = _token_made(session, target, handle, password_stdin, expires_in)
    _store(session, target, context or session.context_name)


def _first_line(what: str) -> str:
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise UsageProblem(f"There is no {what} on standard input.")
    return line


def _token_made(
    session: Session, target: Context, handle: str | None, password_stdin: bool, expires_in: int
) -> Context:
    try:
        handle = handle or click.prompt("Handle", err=True)
        password = _first_line("password") if password_stdin else click.prompt("Password", hide_input=True, err=True)
    except click.Abort:
        if terminal_there():
            raise
        raise UsageProblem(
            "Nobody is at a terminal, and standard input has no handle and password.",
            hint="Use --handle with --password-stdin, --token-stdin, --web for a browser, or in CI --federated.",
        ) from None
    api = Api(target, clock=session.clock, basic=(str(handle), password))
    try:
        made = api.change("POST", "/access-tokens", {"name": _name(), "expires_in": expires_in}, repeat=False)
    except CliError as error:
        if error.status == 401:
            error.hint = "Check handle and password; they are those of the web page."
        raise
    return _with_token(target, made)


def _device_token_made(session: Session, target: Context, browser: bool, expires_in: int) -> Context:
    api = Api(replace(target, token=""), clock=session.clock)
    return _with_token(
        target, device_login(api, session.clock, client_name=_name(), expires_in=expires_in, browser=browser)
    )


def _name() -> str:
    return f"marina command on {platform.node() or 'an unnamed machine'}"[:100]


def _with_token(target: Context, made: Json) -> Context:
    return replace(target, token=str(made["token"]), token_id=str(made.get("id") or ""))


def _token_exchanged(
    session: Session, target: Context, service_account: str, token_file: str | None, audience: str
) -> Context:
    body = {
        "token": id_token(session.environment, file=token_file, audience=audience),
        "service_account": service_account,
    }
    made = Api(target, clock=session.clock).change("POST", "/federated-tokens", body, repeat=False)
    return replace(target, token=str(made["token"]), token_id=str(made.get("id") or ""))


def _store(session: Session, target: Context, name: str) -> None:
    me = Api(target, clock=session.clock).get("/me")
    known = next((context for context in session.config.contexts if context.server == target.server), None)
    name = name or (known.name if known else target.server.split("://", 1)[1])
    before = session.config.context(name)
    paths = [project_path(project) for project in me.get("projects", [])]
    kept = before.project if before and before.server == target.server and before.project in paths else ""
    stored = replace(target, name=name, handle=word(me.get("handle")), project=kept)
    config_save(session.config_path, session.config.with_context(stored))
    if before and before.server == target.server and before.token_id:
        _revoked(session, before)
    note(f"Logged in to {target.server} as {stored.handle}, stored as context {name}.")
    if len(paths) > 1 and not kept:
        note(f"Your projects: {', '.join(paths)}. Choose a default with `marina use-project {paths[0]}`.")


@click.command()
@pass_session
def logout(session: Session) -> None:
    """Forget the token of the current context, and end it on the server where `marina login` made it."""
    name = session.context.name
    stored = session.config.context(name)
    if stored is None or not stored.token:
        note("You are not logged in; nothing to forget.")
        return
    revoked = stored.token_id and _revoked(session, stored)
    others = tuple(context for context in session.config.contexts if context.name != name)
    current = session.config.current
    config_save(session.config_path, Config(current="" if current == name else current, contexts=others))
    note(f"Logged out of {stored.server}." + ("" if revoked else " The token itself stays valid until it expires."))


def _revoked(session: Session, stored: Context) -> bool:
    try:
        Api(stored, clock=session.clock).change("DELETE", f"/access-tokens/{stored.token_id}")
    except CliError as error:
        # a token that is gone already is as good as one ended now
        return error.status in (401, 404)
    return True


@click.command()
@output_option
@pass_session
def whoami(session: Session, form: str) -> None:
    """Show who you are on which server, with your organizations and projects."""

    def people(me: Json) -> None:
        staff = ", platform staff" if me.get("is_staff") else ""
        click.echo(f"{word(me.get('handle'))} on {session.context.server}{staff}")
        places = [(word(item), word(item.get("role"))) for item in me.get("organizations", [])]
        projects = [(project_path(item), word(item.get("role"))) for item in me.get("projects", [])]
        print_fields(
            [
                ("name", word(me.get("name"))),
                ("email", word(me.get("email"))),
                ("inside clusters", f"marina:user:{word(me.get('id'))}"),
                ("context", session.context.name),
                ("project", session.context.project),
                ("organizations", ", ".join(f"{name} ({role})" for name, role in places)),
                ("projects", ", ".join(f"{name} ({role})" for name, role in projects)),
            ]
        )

    print_one(session.me, form, people, name="handle")
