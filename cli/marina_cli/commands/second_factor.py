"""`marina second-factor`: an app for codes, asked for when you sign in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from marina_cli.commands.passwords import own_code, own_password
from marina_cli.durations import minute
from marina_cli.errors import UsageProblem
from marina_cli.output import note, output_option, print_fields, print_one
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, word


def _proof_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What proves you, besides the token."""
    for option in (
        click.option("--password-stdin", is_flag=True, help="Read your password from standard input."),
        click.option("--code", metavar="C", help="The code that your app shows now, or a recovery code."),
    ):
        function = option(function)
    return function


@click.group("second-factor")
def second_factor() -> None:
    """A code of an app that is asked for when you sign in.

    Your stored token alone changes nothing of it: your password is asked for too, and a code.
    """


@second_factor.command("status")
@output_option
@pass_session
def second_factor_status(session: Session, form: str) -> None:
    """Show whether there is one, since when, and how many recovery codes are left."""

    def people(item: Json) -> None:
        on = bool(item.get("enabled"))
        click.echo(
            f"Your second factor is on since {minute(item.get('since'))}." if on else "Your second factor is off."
        )
        if on:
            codes = word(item.get("recovery_codes_left"))
            print_fields([("recovery codes left", codes), ("last used", minute(item.get("last_used_at")))])
        elif item.get("wanted"):
            note("Your platform wants you to have one: `marina second-factor set-up`.")

    print_one(session.api.get("/second-factor"), form, people, name="enabled")


@second_factor.command("set-up")
@_proof_options
@pass_session
def second_factor_set_up(session: Session, code: str | None, password_stdin: bool) -> None:
    """Set an app up: shows its seed, asks for a code of it, and prints recovery codes, once."""
    if code is not None:
        raise UsageProblem("The code comes from the new seed.", hint="For scripts there are `begin` and `confirm`.")
    begun = session.api.change("POST", "/second-factor/begin", repeat=False)
    _show_seed(begun)
    _confirm(session, word(begun.get("enrolment")), None, password_stdin)


@second_factor.command("begin")
@output_option
@pass_session
def second_factor_begin(session: Session, form: str) -> None:
    """Make a seed for an app; `confirm` makes it your second factor."""

    def people(item: Json) -> None:
        _show_seed(item)
        note("Then, within 15 minutes: marina second-factor confirm ENROLMENT, with this ENROLMENT:")
        click.echo(word(item.get("enrolment")))

    print_one(session.api.change("POST", "/second-factor/begin", repeat=False), form, people, name="enrolment")


def _show_seed(begun: Json) -> None:
    note("Type this into your app, or hand it the address:")
    click.echo(word(begun.get("secret")))
    click.echo(word(begun.get("otpauth_uri")))


@second_factor.command("confirm")
@click.argument("enrolment")
@_proof_options
@pass_session
def second_factor_confirm(session: Session, enrolment: str, code: str | None, password_stdin: bool) -> None:
    """Make the app of ENROLMENT (see `begin`) your second factor, and print recovery codes, once."""
    _confirm(session, enrolment, code, password_stdin)


def _confirm(session: Session, enrolment: str, code: str | None, password_stdin: bool) -> None:
    body = {"enrolment": enrolment, **_proof(code, password_stdin)}
    _show_codes(session.api.change("POST", "/second-factor/confirm", body, repeat=False))


@second_factor.command("recovery-codes")
@_proof_options
@pass_session
def second_factor_recovery_codes(session: Session, code: str | None, password_stdin: bool) -> None:
    """Print new recovery codes, once; the old open nothing any more."""
    _show_codes(session.api.change("POST", "/second-factor/recovery-codes", _proof(code, password_stdin), repeat=False))


def _show_codes(made: Json) -> None:
    for each in made.get("recovery_codes", []):
        click.echo(word(each))
    note("Keep these where your app is not: each opens your account once. They are not shown again.")


@second_factor.command("turn-off")
@_proof_options
@pass_session
def second_factor_turn_off(session: Session, code: str | None, password_stdin: bool) -> None:
    """Take your second factor and its recovery codes away."""
    session.api.change("POST", "/second-factor/turn-off", _proof(code, password_stdin), repeat=False)
    note("You have no second factor any more.")


@second_factor.command("reset")
@click.argument("handle")
@_proof_options
@pass_session
def second_factor_reset(session: Session, handle: str, code: str | None, password_stdin: bool) -> None:
    """Take away that of HANDLE, who lost app and codes. For platform staff; HANDLE is told."""
    body = {"user": handle, **own_code(session, code), **own_password(password_stdin)}
    session.api.change("POST", "/second-factor/reset", body, repeat=False)
    note(f"{handle} has no second factor any more, and was told.")


def _proof(code: str | None, password_stdin: bool) -> Json:
    code = code or click.prompt("Code", err=True)
    return {"code": str(code).strip(), **own_password(password_stdin)}
