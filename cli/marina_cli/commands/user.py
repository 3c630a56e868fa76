"""`marina user`: people, as platform staff keep them."""

from __future__ import annotations

import sys
from datetime import datetime

import click

from marina_cli.commands.dry_run import dry_run_option, dry_run_tell
from marina_cli.commands.passwords import new_password, own_code, own_password
from marina_cli.durations import age
from marina_cli.errors import UsageProblem
from marina_cli.lookup import user_find
from marina_cli.output import Column, note, output_option, print_fields, print_list, print_one
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, word

HANDLE = click.argument("handle", metavar="HANDLE|ID")
NAME = click.option("--name", metavar="TEXT", help="What people call them.")
EMAIL = click.option("--email", metavar="ADDRESS", help="Where mail goes; empty for none.")


def columns(now: datetime) -> tuple[Column, ...]:
    """The columns of `marina user list`."""
    return (
        Column("HANDLE", lambda item: word(item.get("handle"))),
        Column("NAME", lambda item: word(item.get("name"))),
        Column("EMAIL", lambda item: word(item.get("email"))),
        Column("STATE", _state),
        Column("STAFF", lambda item: word(item.get("is_staff"))),
        Column("AGE", lambda item: age(item.get("created_at"), now)),
        Column("ID", lambda item: word(item.get("id")), wide=True),
    )


def _state(item: Json) -> str:
    return {True: "active", False: "deactivated"}.get(item.get("is_active", ""), "-")


@click.group()
def user() -> None:
    """People: your colleagues; platform staff see everybody, make and change them."""


@user.command("list")
@click.option("--search", metavar="TEXT", help="Only those with this in handle or name.")
@output_option
@pass_session
def user_list(session: Session, search: str | None, form: str) -> None:
    """List your colleagues; platform staff: everybody, deactivated people too."""
    items = list(session.api.pages("/users", {"search": search} if search else {}))
    print_list(items, form, columns(session.clock.now()), empty="There is nobody like that.", name="handle")


@user.command("get")
@HANDLE
@output_option
@pass_session
def user_get(session: Session, handle: str, form: str) -> None:
    """Show one person."""
    print_one(user_find(session, handle), form, _show, name="handle")


@user.command("create")
@click.argument("handle")
@NAME
@EMAIL
@click.option("--staff", is_flag=True, help="Platform staff. Only superusers may say so.")
@click.option("--password", is_flag=True, help="Ask for a password; without one they sign in by your issuer only.")
@click.option("--password-stdin", is_flag=True, help="Read it from standard input.")
@dry_run_option
@output_option
@pass_session
def user_create(
    session: Session,
    handle: str,
    name: str | None,
    email: str | None,
    staff: bool,
    password: bool,
    password_stdin: bool,
    dry_run: bool,
    form: str,
) -> None:
    """Make a person with this HANDLE, which never changes. For platform staff."""
    body: Json = {"handle": handle, **_given(name=name, email=email), **({"is_staff": True} if staff else {})}
    if password or password_stdin:
        body["password"] = new_password(handle, password_stdin)
    made = session.api.change("POST", "/users", body, repeat=False, dry_run=dry_run)
    if dry_run:
        dry_run_tell(made, form, f"{handle} would be made.")
        return
    print_one(made, form, _show, name="handle")


@user.command("update")
@HANDLE
@NAME
@EMAIL
@click.option("--staff/--no-staff", default=None, help="Platform staff or not. Only superusers may say so.")
@dry_run_option
@output_option
@pass_session
def user_update(
    session: Session, handle: str, name: str | None, email: str | None, staff: bool | None, dry_run: bool, form: str
) -> None:
    """Change somebody else. For platform staff; a superuser is changed by superusers only."""
    body = _given(name=name, email=email, is_staff=staff)
    if not body:
        raise UsageProblem("Nothing to change was given.", hint="See `marina user update --help`.")
    changed = _changed(session, user_find(session, handle), body, dry_run)
    if dry_run:
        dry_run_tell(changed, form, f"{word(changed.get('handle'))} would be changed.")
        return
    print_one(changed, form, _show, name="handle")


@user.command("deactivate")
@HANDLE
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@dry_run_option
@output_option
@pass_session
def user_deactivate(session: Session, handle: str, yes: bool, dry_run: bool, form: str) -> None:
    """Lock somebody out: sessions and tokens end at once, what they own goes to an admin. For platform staff."""
    found = user_find(session, handle)
    name = word(found.get("handle"))
    if not (yes or dry_run) and sys.stdin.isatty():
        click.confirm(f"Deactivate {name}? Their sessions and tokens end.", abort=True, err=True)
    changed = _changed(session, found, {"is_active": False}, dry_run)
    if dry_run:
        dry_run_tell(changed, form, f"{name} would be deactivated.")
    else:
        print_one(changed, form, lambda _: click.echo(f"{name} was deactivated."), name="handle")
    for organization in changed.get("organizations_without_admin") or ():
        note(f"{word(organization)} {'would have' if dry_run else 'has'} no admin: make somebody its admin.")


@user.command("activate")
@HANDLE
@dry_run_option
@output_option
@pass_session
def user_activate(session: Session, handle: str, dry_run: bool, form: str) -> None:
    """Let somebody in again, with their roles; their tokens stay revoked. For platform staff."""
    changed = _changed(session, user_find(session, handle), {"is_active": True}, dry_run)
    name = word(changed.get("handle"))
    if dry_run:
        dry_run_tell(changed, form, f"{name} would be activated.")
        return
    print_one(changed, form, lambda _: click.echo(f"{name} was activated. Old tokens stay revoked."), name="handle")


@user.command("password")
@HANDLE
@click.option(
    "--password-stdin",
    is_flag=True,
    help="Read two lines from standard input: the new password, then your own (left out where you have none).",
)
@click.option("--code", metavar="C", help="A code of your own second factor, where you have one.")
@dry_run_option
@pass_session
def user_password(session: Session, handle: str, password_stdin: bool, code: str | None, dry_run: bool) -> None:
    """Set somebody's password: their sessions end, and they are told. For platform staff."""
    found = user_find(session, handle)
    name = word(found.get("handle"))
    body: Json = {"new_password": new_password(name, password_stdin)}
    body |= own_password(password_stdin, may_lack=True) | own_code(session, code)
    session.api.change("POST", f"/users/{found['id']}/password", body, repeat=False, dry_run=dry_run)
    if dry_run:
        note(f"The password of {name} would be set. Nothing was done: this was a dry run.")
    else:
        note(f"{name} has a new password, and was told.")


def _given(**options: object) -> Json:
    return {key: value for key, value in options.items() if value is not None}


def _changed(session: Session, found: Json, body: Json, dry_run: bool) -> Json:
    return session.api.change("PATCH", f"/users/{found['id']}", body, dry_run=dry_run)


def _show(item: Json) -> None:
    click.echo(word(item.get("handle")))
    print_fields(
        [
            ("name", word(item.get("name"))),
            ("email", word(item.get("email"))),
            ("state", _state(item)),
            ("platform staff", word(item.get("is_staff"))),
            ("id", word(item.get("id"))),
        ]
    )
