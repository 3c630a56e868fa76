"""How policies are shown to people: what one says, and what counts for a cluster."""

from __future__ import annotations

from typing import Any

import click

from marina_cli.commands.scopes import scope_text
from marina_cli.durations import span_exact
from marina_cli.output import Column, print_fields
from marina_cli.text import Json, word


def _span(value: Any) -> str:
    return span_exact(value) if value is not None else "-"


def _never(value: Any) -> str:
    return {True: "yes", False: "no"}.get(value, "-")


def _spans(value: Any) -> str:
    return ", ".join(span_exact(each) for each in sorted(value, reverse=True)) if value else "-"


COLUMNS = (
    Column("OF", scope_text),
    Column("SLEEP AFTER", lambda item: "never" if item.get("never_sleep") else _span(item.get("sleep_after"))),
    Column("DELETE AFTER", lambda item: "never" if item.get("never_delete") else _span(item.get("delete_after"))),
    Column("WARN BEFORE", lambda item: _spans(item.get("warn_before"))),
    Column("EXTENSION", lambda item: _span(item.get("extension_maximum"))),
    Column("ID", lambda item: str(item.get("id")), wide=True),
)


def policy_show(item: Json, called: str) -> None:
    """As people read it."""
    click.echo(f"Policy of {called}")
    print_fields(
        [
            ("sleep after", _span(item.get("sleep_after"))),
            ("delete after", _span(item.get("delete_after"))),
            ("warn before", _spans(item.get("warn_before"))),
            ("never sleep", _never(item.get("never_sleep"))),
            ("never delete", _never(item.get("never_delete"))),
            ("extension maximum", _span(item.get("extension_maximum"))),
        ]
    )


def policy_counts(policy: Json) -> list[tuple[str, str]]:
    """The same as fields."""
    origins = policy.get("origins") or {}
    told = {
        "sleeps after": ("sleep_after", _counts(policy.get("sleep_after"))),
        "deleted after": ("delete_after", _counts(policy.get("delete_after"))),
        "warned before": ("warn_before", _spans(policy.get("warn_before"))),
        "extension up to": ("extension_maximum", _span(policy.get("extension_maximum"))),
    }
    return [(label, f"{value} (by {word(origins.get(name))})") for label, (name, value) in told.items()]


def _counts(value: Any) -> str:
    return span_exact(value) if value else "never"
