"""`marina inbox`: what you were told, and how you want to be told."""

from __future__ import annotations

from datetime import datetime

import click

from marina_cli.durations import age
from marina_cli.errors import UsageProblem
from marina_cli.output import Column, note, output_option, print_list, print_one
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, clean, word


def columns(now: datetime) -> tuple[Column, ...]:
    """The columns of `marina inbox`."""
    return (
        Column("ID", lambda item: word(item.get("id"))),
        Column("AGE", lambda item: age(item.get("created_at"), now)),
        Column("KIND", lambda item: word(item.get("kind"))),
        Column("ABOUT", lambda item: word(item.get("subject"))),
        Column("TEXT", lambda item: word(item.get("text"))),
        Column("NEXT", lambda item: word(item.get("command")), wide=True),
        Column("READ", lambda item: word(item.get("read")), wide=True),
        Column("SENT BY", lambda item: ", ".join(_channels(item)) or "-", wide=True),
    )


def _channels(item: Json) -> list[str]:
    return [f"{word(each.get('channel'))} ({word(each.get('state'))})" for each in item.get("channels") or ()]


PREFERENCE_COLUMNS = (
    Column("KIND", lambda item: word(item.get("kind"))),
    Column("INBOX", lambda item: _on(item.get("inbox"))),
    Column("MAIL", lambda item: _on(item.get("mail"))),
    Column("TELLS", lambda item: word(item.get("tells"))),
)


def _on(value: object) -> str:
    return "on" if value else "off"


@click.group(invoke_without_command=True)
@click.option("--all", "every", is_flag=True, help="Those that were read, too.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many.")
@output_option
@click.pass_context
def inbox(ctx: click.Context, every: bool, limit: int, form: str) -> None:
    """What you were told: the newest first, without what you have read."""
    if ctx.invoked_subcommand:
        return
    session = ctx.ensure_object(Session)
    params = {} if every else {"unread": "true"}
    items = list(session.api.pages("/notifications", params, limit=limit))
    empty = "Your inbox is empty." if every else "There is nothing new. `marina inbox --all` shows what you have read."
    print_list(items, form, columns(session.clock.now()), empty=empty, name="id")


@inbox.command("get")
@click.argument("id", metavar="ID")
@output_option
@pass_session
def inbox_get(session: Session, id: str, form: str) -> None:  # noqa: A002
    """Show one notification, and mark it as read."""
    item = session.api.change("PATCH", f"/notifications/{id}", {"read": True})
    print_one(item, form, lambda shown: _show(shown, session.context.server), name="id")


def _show(item: Json, server: str) -> None:
    click.echo(clean(str(item.get("text") or "")))
    if item.get("link"):
        note(f"See it: {server.rstrip('/')}{word(item.get('link'))}")
    if item.get("command"):
        note(f"Next: {word(item.get('command'))}")


@inbox.command("read")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@pass_session
def inbox_read(session: Session, ids: tuple[str, ...]) -> None:
    """Mark these as read; without an ID everything."""
    if not ids:
        count = session.api.change("POST", "/notifications/read-all").get("read", 0)
        click.echo(f"{word(count)} marked as read." if count else "There was nothing new.")
        return
    for id in ids:  # noqa: A001
        session.api.change("PATCH", f"/notifications/{id}", {"read": True})
    click.echo(f"{len(ids)} marked as read.")


@inbox.command("preferences")
@output_option
@pass_session
def inbox_preferences(session: Session, form: str) -> None:
    """Show which kinds reach you by which channel."""
    items = session.api.get("/notification-preferences").get("results", [])
    print_list(items, form, PREFERENCE_COLUMNS, empty="There are no kinds.", name="kind")


@inbox.command("prefer")
@click.argument("kind")
@click.argument("channel", type=click.Choice(["inbox", "mail"]))
@click.argument("state", type=click.Choice(["on", "off"]))
@output_option
@pass_session
def inbox_prefer(session: Session, kind: str, channel: str, state: str, form: str) -> None:
    """Switch a channel on or off for a kind: marina inbox prefer operation-failed mail off."""
    if "/" in kind:
        raise UsageProblem(f"{kind!r} is no kind of notification.", hint="See them with `marina inbox preferences`.")
    item = session.api.change("PATCH", f"/notification-preferences/{kind}", {channel: state == "on"})
    said = f"{word(item.get('kind'))}: inbox {_on(item.get('inbox'))}, mail {_on(item.get('mail'))}."
    print_one(item, form, lambda _: click.echo(said), name="kind")
