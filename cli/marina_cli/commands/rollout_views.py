"""How rollouts are shown to people."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

import click

from marina_cli.durations import age, minute, span
from marina_cli.output import Column, print_fields, print_table
from marina_cli.text import Json, labels, project_path, word

COLUMNS = (
    Column("NAME", lambda item: word(item.get("name"))),
    Column("OF", lambda item: scope_text(item)),
    Column("DOES", lambda item: what_text(item)),
    Column("STATE", lambda item: word(item.get("state")), state=True),
    Column("WAVE", lambda item: f"{item.get('wave')}/{len(item.get('waves') or ())}"),
    Column("DONE", lambda item: done_text(item)),
    Column("FAILED", lambda item: word((item.get("clusters") or {}).get("failed"))),
    Column("BY", lambda item: word(item.get("created_by")), wide=True),
    Column("ID", lambda item: word(item.get("id")), wide=True),
)


def scope_text(item: Json) -> str:
    """Whose it is."""
    if item.get("project"):
        return project_path(item["project"])
    return word(item["organization"]) if item.get("organization") else "the platform"


def what_text(item: Json) -> str:
    """What it does, in words."""
    to = item.get("to") or {}
    if item.get("action") == "migrate":
        return f"move to {word(to['host'])}" if to.get("host") else "move elsewhere"
    chart = f"chart {to['chart_version']}" if to.get("chart_version") else ""
    return f"upgrade to {' with '.join(filter(None, (to.get('kubernetes_version'), chart)))}"


def done_text(item: Json) -> str:
    """How many of its clusters it is done with."""
    counts = item.get("clusters") or {}
    done = sum(int(counts.get(each, 0)) for each in ("succeeded", "failed", "skipped"))
    return f"{done}/{counts.get('total', 0)}"


def member_columns() -> tuple[Column, ...]:
    """The columns of its clusters."""
    return (
        Column("CLUSTER", lambda item: _cluster(item)),
        Column("WAVE", lambda item: word(item.get("wave"))),
        Column("STATE", lambda item: word(item.get("state")), state=True),
        Column("MESSAGE", lambda item: word(item.get("message"))),
        Column("OPERATION", lambda item: word(item.get("operation")), wide=True),
    )


def _cluster(item: Json) -> str:
    cluster = item.get("virtual_cluster") or {}
    return f"{project_path(cluster.get('project'))}/{word(cluster.get('name'))}"


def plan_show(item: Json) -> None:
    """What is to be done, in which waves."""
    total = (item.get("clusters") or {}).get("total", 0)
    click.echo(f"{word(item.get('name'))}: {what_text(item)}, {total} cluster{'' if total == 1 else 's'}")
    waves: defaultdict[int, list[str]] = defaultdict(list)
    for each in item.get("members") or ():
        waves[int(each["wave"])].append(_cluster(each))
    for number, names in sorted(waves.items()):
        click.echo(f"  wave {number} ({len(names)}): {_named(names)}")
    foreseen_show(item)
    print_fields(care_fields(item))


def foreseen_show(item: Json) -> None:
    """What is known against clusters of a rollout that is only planned, a line each."""
    for each in item.get("members") or ():
        for key, told in (("refused", "could not begin"), ("waits", "has to wait")):
            if each.get(key):
                click.echo(f"  {_cluster(each)} {told}: {word(each[key])}")


def _named(names: list[str], most: int = 8) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def care_fields(item: Json) -> list[tuple[str, str]]:
    """How carefully it goes on, for `print_fields`."""
    pause = item.get("pause_seconds")
    told = "until somebody resumes it" if pause is None else span(float(pause)) if pause else "none"
    may = item.get("failures_allowed", 0)
    return [
        ("pause between waves", told),
        ("soak time", span(float(item["soak_seconds"])) if item.get("soak_seconds") else ""),
        ("may fail", f"{may} of them ({item.get('failure_budget')})"),
        ("at once", word(item.get("max_parallel"))),
    ]


def rollout_show(item: Json, now: datetime) -> None:
    """As people read it."""
    click.echo(f"{word(item.get('name'))}: {what_text(item)}")
    selector = item.get("selector") or {}
    chosen = [
        labels(selector["labels"]) if selector.get("labels") else "",
        f"version {selector['kubernetes_version']}" if selector.get("kubernetes_version") else "",
        f"on host {selector['host']}" if selector.get("host") else "",
    ]
    print_fields(
        [
            ("state", f"{word(item.get('state'))}: {word(item.get('message'))}"),
            ("of", scope_text(item)),
            ("clusters", ", ".join(filter(None, chosen)) or "all"),
            ("made", f"{age(item.get('created_at'), now)} ago by {word(item.get('created_by'))}"),
            ("next wave", minute(item.get("next_wave_at"))),
            ("ended", minute(item.get("finished_at"))),
            *care_fields(item),
            ("id", word(item.get("id"))),
        ]
    )
    click.echo()
    print_table(item.get("waves") or [], _WAVES)


_WAVES = (
    Column("WAVE", lambda item: word(item.get("number"))),
    *(
        Column(name.upper(), lambda item, name=name: word(item.get(name)))  # type: ignore[misc]
        for name in ("total", "queued", "running", "soaking", "succeeded", "failed", "skipped")
    ),
)


def progress_line(item: Json) -> str:
    """Where it is, in one line."""
    counts = item.get("clusters") or {}
    told = ", ".join(f"{counts[key]} {key}" for key in counts if key != "total" and counts[key])
    return f"{item.get('state')}, wave {item.get('wave')} of {len(item.get('waves') or ())}: {told}"
