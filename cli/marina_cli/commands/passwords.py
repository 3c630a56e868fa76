"""Passwords: read from a prompt or from standard input, never from the command line, which others can see."""

from __future__ import annotations

import sys

import click

from marina_cli.errors import CliError
from marina_cli.session import Session
from marina_cli.text import Json


def own_password(password_stdin: bool, *, may_lack: bool = False) -> Json:
    """The password of who asks, for the body. Without one for who has none: they come by an issuer.

    `may_lack`: standard input may end before it, as it held something else that was wanted.
    """
    if password_stdin:
        given = sys.stdin.readline().rstrip("\r\n")
        if not given and not may_lack:
            raise CliError("There is no password on standard input.")
        return {"password": given} if given else {}
    given = click.prompt(
        "Your password (empty if you have none)", hide_input=True, default="", show_default=False, err=True
    )
    return {"password": given} if given else {}


def own_code(session: Session, code: str | None) -> Json:
    """A code of who asks, for the body: asked for where they have a second factor."""
    if code is None and session.api.get("/second-factor").get("enabled"):
        code = click.prompt("Code of your own app", err=True)
    return {"code": str(code).strip()} if code else {}


def new_password(handle: str, password_stdin: bool) -> str:
    """A password for somebody else."""
    if password_stdin:
        if given := sys.stdin.readline().rstrip("\r\n"):
            return given
        raise CliError(f"There is no new password of {handle} on standard input.")
    asked: str = click.prompt(f"New password of {handle}", hide_input=True, confirmation_prompt=True, err=True)
    return asked
