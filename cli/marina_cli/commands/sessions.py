"""`marina session`: where you are signed in with a browser."""

from __future__ import annotations

from datetime import datetime

import click

from marina_cli.durations import age
from marina_cli.errors import UsageProblem
from marina_cli.output import Column, note, output_option, print_list
from marina_cli.session import Session, pass_session
from marina_cli.text import word


def columns(now: datetime) -> tuple[Column, ...]:
    """The columns of `marina session list`."""
    return (
        Column("ID", lambda item: word(item.get("id"))),
        Column("BROWSER", lambda item: word(item.get("browser"))),
        Column("FROM", lambda item: word(item.get("address"))),
        Column("SIGNED IN", lambda item: age(item.get("created_at"), now)),
        Column("LAST USED", lambda item: age(item.get("last_used_at"), now)),
        Column("USER AGENT", lambda item: word(item.get("user_agent")), wide=True),
    )


@click.group("session")
def session_group() -> None:
    """Where you are signed in with a browser, and the end of it. Tokens are no sessions: see `marina token`."""


@session_group.command("list")
@output_option
@pass_session
def session_list(session: Session, form: str) -> None:
    """List where you are signed in."""
    items = list(session.api.pages("/sessions"))
    empty = "You are signed in nowhere with a browser."
    print_list(items, form, columns(session.clock.now()), empty=empty, name="id")


@session_group.command("revoke")
@click.argument("id", metavar="[ID]", required=False)
@click.option("--all", "every", is_flag=True, help="All of them.")
@pass_session
def session_revoke(session: Session, id: str | None, every: bool) -> None:  # noqa: A002
    """End the session ID at once, or all. Your tokens stay."""
    if (id is None) != every or (id is not None and "/" in id):
        raise UsageProblem("Say which session, or --all.", hint="See them with `marina session list`.")
    if id is not None:
        session.api.change("DELETE", f"/sessions/{id}")
        note("The session has ended.")
        return
    count = session.api.change("POST", "/sessions/revoke-others").get("revoked", 0)
    note(f"{word(count)} {'session has' if count == 1 else 'sessions have'} ended.")
