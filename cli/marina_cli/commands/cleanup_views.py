"""How the cleanup is shown to people: reports, what was done, and what becomes of one cluster."""

from __future__ import annotations

from datetime import datetime

import click

from marina_cli.commands.policy_views import policy_counts
from marina_cli.durations import age, clock_time, minute
from marina_cli.output import Column, print_fields, print_table
from marina_cli.text import Json, project_path, word


def cluster_path(item: Json) -> str:
    """With its organization and its project."""
    cluster = item.get("virtual_cluster") or {}
    return f"{project_path(cluster.get('project'))}/{word(cluster.get('name'))}"


OUTLOOK = (
    Column("CLUSTER", cluster_path),
    Column("NOW", lambda item: word(item.get("action"))),
    Column("DELETED AT", lambda item: minute(item.get("cleanup_at"))),
    Column("STATE", lambda item: word(item.get("cleanup_state"))),
    Column("WHY", lambda item: " ".join(item.get("unknown") or []) or word(item.get("why"))),
    Column("NEXT", lambda item: minute(item.get("next_at")), wide=True),
    Column("LAST USE", lambda item: minute(item.get("last_used_at")), wide=True),
)

RUNS = (
    Column("STARTED", lambda item: minute(item.get("started_at"))),
    Column("STATE", lambda item: word(item.get("state"))),
    Column("CLUSTERS", lambda item: word(item.get("looked_at"))),
    Column("WARNED", lambda item: word(item.get("warned"))),
    Column("ASKED", lambda item: word(item.get("asked"))),
    Column("ASLEEP", lambda item: word(item.get("put_to_sleep"))),
    Column("DELETED", lambda item: word(item.get("deleted"))),
    Column("UNKNOWN", lambda item: word(item.get("unknown"))),
    Column("LEFT", lambda item: word(item.get("left"))),
    Column("ID", lambda item: word(item.get("id")), wide=True),
)
ITEMS = (
    Column("AT", lambda item: minute(item.get("created_at"))),
    Column("CLUSTER", cluster_path),
    Column("DID", lambda item: word(item.get("action")) + (" (refused)" if item.get("refused") else "")),
    Column("WHY", lambda item: word(item.get("refused") or item.get("why"))),
)

DOES = {
    "nothing": "does nothing",
    "sleep": "puts it to sleep",
    "warn": "warns its owner",
    "ask": "asks its owner for a yes to its deletion",
    "delete": "exports and deletes it",
    "clear": "takes its date away",
}


def outlook_show(told: Json, item: Json, now: datetime) -> None:
    """What stands on the cluster already, and apart from it what the next sweep would do."""
    stands, used = item.get("cleanup") or {}, told.get("last_used_at")
    click.echo(f"{cluster_path(told)}: {word(told.get('why'))}")
    # of what the sweep would do, the last warning has not been sent
    warned = told.get("warned_at") or []
    warned = warned[:-1] if told.get("action") == "warn" else warned
    waits = "; it takes its owner's yes" if stands.get("state") == "awaiting-consent" else ""
    print_fields(
        [
            ("to be deleted", f"{clock_time(stands['at'])}{waits}" if stands.get("at") else ""),
            ("warned", ", ".join(clock_time(each) for each in warned)),
            ("kept until", clock_time(told["kept_until"]) if told.get("kept_until") else ""),
            ("lifetime ends", clock_time(item["expires_at"]) if item.get("expires_at") else ""),
            ("next sweep", _next_sweep(told)),
            ("due next", f"{clock_time(told['next_at'])} at the earliest" if told.get("next_at") else ""),
            ("last use", f"{clock_time(used)}, {word(told.get('last_used'))}" if used else ""),
            ("unknown", " ".join(told.get("unknown") or [])),
            *policy_counts(told.get("policy") or {}),
        ]
    )
    columns = (
        Column("SIGNAL", lambda each: word(each.get("kind"))),
        Column("STATE", lambda each: word(each.get("state"))),
        Column("REQUIRED", lambda each: "yes" if each.get("required") else "no"),
        Column("LAST", lambda each: f"{age(each.get('last_used_at'), now)} {word(each.get('who'))}"),
        Column("REASON", lambda each: word(each.get("reason"))),
    )
    if told.get("signals"):
        click.echo()
        print_table(told["signals"], columns)


def _next_sweep(told: Json) -> str:
    does = DOES.get(str(told.get("action")), word(told.get("action")))
    date = f"; it is to be deleted {clock_time(told.get('cleanup_at'))} then" if told.get("action") == "warn" else ""
    return does + date
