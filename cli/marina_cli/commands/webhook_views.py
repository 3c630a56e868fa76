"""How webhooks and their deliveries are shown."""

from __future__ import annotations

from datetime import datetime

import click

from marina_cli.durations import age, minute
from marina_cli.output import Column, note, print_fields
from marina_cli.text import Json, clean, project_path, word


def columns(now: datetime) -> tuple[Column, ...]:
    """The columns of `marina webhook list`."""
    return (
        Column("ID", lambda item: word(item.get("id"))),
        Column("FOR", scope_of),
        Column("STATE", state_of),
        Column("EVENTS", lambda item: word(item.get("events"))),
        Column("DESCRIPTION", lambda item: word(item.get("description"))),
        Column("URL", lambda item: word(item.get("url")), wide=True),
        Column("AGE", lambda item: age(item.get("created_at"), now), wide=True),
    )


def delivery_columns(now: datetime) -> tuple[Column, ...]:
    """The columns of `marina webhook deliveries`."""
    return (
        Column("ID", lambda item: word(item.get("id"))),
        Column("TYPE", lambda item: word(item.get("type"))),
        Column("STATE", lambda item: word(item.get("state"))),
        Column("ATTEMPTS", lambda item: str(item.get("attempts", 0))),
        Column("STATUS", lambda item: word(item.get("status"))),
        Column("AGE", lambda item: age(item.get("created_at"), now)),
        Column("ERROR", lambda item: word(item.get("error"))),
        Column("EVENT ID", lambda item: word(item.get("event_id")), wide=True),
        Column("NEXT ATTEMPT", lambda item: minute(item.get("next_attempt_at")), wide=True),
    )


def scope_of(item: Json) -> str:
    """The project, else the organization."""
    return project_path(item["project"]) if item.get("project") else word(item.get("organization"))


def state_of(item: Json) -> str:
    """In one word."""
    if not item.get("enabled"):
        return "off"
    return "failing" if item.get("failing_since") else "on"


def webhook_show(item: Json) -> None:
    """Everything but the secret, which nobody is shown twice."""
    click.echo(word(item.get("id")))
    print_fields(
        [
            ("for", scope_of(item)),
            ("url", word(item.get("url"))),
            ("events", word(item.get("events"))),
            ("description", word(item.get("description"))),
            ("state", state_of(item)),
            ("why", word(item.get("disabled_reason"))),
            ("failing since", word(item.get("failing_since"))),
            ("old secret until", word(item.get("previous_until"))),
        ]
    )


def delivery_say(item: Json) -> None:
    """What came of the newest attempt."""
    if item.get("state") == "Delivered":
        click.echo(f"Delivered ({word(item.get('status'))}).")
        return
    click.echo(f"Not delivered: {word(item.get('error'))}")
    if item.get("answer"):
        note(f"It said: {clean(str(item['answer']))}")
    if item.get("next_attempt_at"):
        note(f"It is tried again at {minute(item.get('next_attempt_at'))}.")
