"""How virtual clusters are shown to people."""

from __future__ import annotations

from datetime import datetime

from rich.text import Text

from marina_cli.commands.upgrade_views import upgrade_cell, upgrade_lines
from marina_cli.durations import age, clock_time, minute
from marina_cli.operations import operation_read, timeline
from marina_cli.output import Column, console, print_fields, state_text
from marina_cli.text import Json, clean, labels, project_path, word

BAD_WHEN_TRUE = ("CredentialExpiring",)
"""Conditions that say something is wrong; all others say that something is right."""


def cluster_columns(now: datetime) -> tuple[Column, ...]:
    """The columns of `marina list`."""
    return (
        Column("NAME", lambda item: word(item.get("name"))),
        Column("PROJECT", lambda item: project_path(item.get("project"))),
        Column("PHASE", lambda item: word(item.get("phase")), state=True),
        Column("VERSION", lambda item: kubernetes_version(item)),
        Column("UPGRADE", upgrade_cell),
        Column("HOST", lambda item: word(_placement(item).get("host"))),
        Column("OWNER", lambda item: word(item.get("owner"))),
        Column("AGE", lambda item: age(item.get("created_at"), now)),
        Column("ENDPOINT", lambda item: word(_placement(item).get("endpoint")), wide=True),
        Column("NAMESPACE", lambda item: word(_placement(item).get("namespace")), wide=True),
        Column("LAST USED", lambda item: age(item.get("last_used_at"), now), wide=True),
        Column("LIVES UNTIL", lambda item: minute(item.get("expires_at")), wide=True),
        Column("TO BE DELETED", lambda item: minute((item.get("cleanup") or {}).get("at")), wide=True),
        Column("LABELS", lambda item: labels(item.get("labels")), wide=True),
        Column("ID", lambda item: word(item.get("id")), wide=True),
    )


def _placement(item: Json) -> Json:
    placement = item.get("placement")
    return placement if isinstance(placement, dict) else {}


def kubernetes_version(item: Json) -> str:
    """The version that runs, else the one that is wanted."""
    return word(_placement(item).get("kubernetes_version") or (item.get("spec") or {}).get("kubernetes_version"))


def cluster_show(item: Json, now: datetime) -> None:
    """Everything about one virtual cluster: what it is, how it is, what is being done with it."""
    out = console()
    out.print(heading(f"{word(item.get('name'))}  ").append_text(state_text(word(item.get("phase")))))
    print_fields(_fields(item, now))
    conditions_show(item, now)
    if item.get("not_synced"):
        out.print(heading("\nNot synced to the host: ").append(word(item["not_synced"])))
    if item.get("operation"):
        operation_show(item["operation"], now)


def heading(text: str) -> Text:
    """Bold text that what is appended to it does not inherit."""
    return Text().append(text, style="bold")


def _fields(item: Json, now: datetime) -> list[tuple[str, str]]:
    spec, placement = item.get("spec") or {}, _placement(item)
    chart = word(placement.get("chart_version") or spec.get("chart_version"))
    host = word(placement.get("host"))
    return [
        ("project", project_path(item.get("project"))),
        ("host", f"{host}, namespace {word(placement.get('namespace'))}" if placement else "not chosen yet"),
        ("chosen", word(placement.get("why"))),
        ("wanted", _wanted(spec)),
        ("address", word(item.get("gateway_url"))),
        ("endpoint", word(placement.get("endpoint"))),
        ("Kubernetes", kubernetes_version(item) + (f" (chart {chart})" if chart != "-" else "")),
        *upgrade_lines(item),
        ("size", word(spec.get("size"))),
        ("exposure", word(spec.get("exposure"))),
        ("owner", word(item.get("owner"))),
        ("created", f"{age(item.get('created_at'), now)} ago by {word(item.get('created_by'))}"),
        ("last used", _last_use(item, now)),
        ("asleep", _asleep(item, now)),
        ("labels", labels(item.get("labels"))),
        ("lives until", minute(item.get("expires_at"))),
        ("schedule", _schedule(item)),
        ("cleanup", _cleanup(item)),
        ("frozen", word((item.get("frozen") or {}).get("why"))),
        ("came from", "; ".join(_kept(each) for each in item.get("retained") or ())),
        ("ceiling", "" if item.get("kubeconfig_ceiling") == "admin" else word(item.get("kubeconfig_ceiling"))),
        ("broken glass", "; ".join(_glass(each) for each in item.get("break_glass") or ())),
        ("protected", "yes: it cannot be deleted" if item.get("deletion_protection") else ""),
        ("id", word(item.get("id"))),
    ]


def _last_use(item: Json, now: datetime) -> str:
    """Through the gateway; nothing is known of who comes by a direct kubeconfig."""
    if not item.get("last_used_at"):
        return ""
    by = item.get("last_used_by") or {}
    return f"{age(item['last_used_at'], now)} ago by {word(by)} with {word(by.get('client'))}"


def _asleep(item: Json, now: datetime) -> str:
    """Since when, who or what put it to sleep, and when it wakes."""
    asleep = item.get("asleep")
    if not isinstance(asleep, dict):
        return ""
    by, why = asleep.get("by"), asleep.get("why")
    told = f"for {age(asleep.get('since'), now)}" + (f", put to sleep by {word(by)}" if by else "")
    return f"{told}: {word(why).rstrip('.')}; {_wakes(item)}" if why else f"{told}; {_wakes(item)}"


def _wakes(item: Json) -> str:
    if item.get("phase") == "Waking":
        return "it is waking up"
    at = (item.get("schedule") or {}).get("next_wake_at")
    return f"it wakes {clock_time(at)}, or when somebody uses it" if at else "it wakes when somebody uses it"


def _schedule(item: Json) -> str:
    """When it sleeps, wakes and is exported next."""
    told = item.get("schedule") or {}
    parts = [
        f"{what} {clock_time(told[key])}"
        for what, key in (("sleeps", "next_sleep_at"), ("wakes", "next_wake_at"), ("exported", "next_export_at"))
        if told.get(key)
    ]
    if told.get("sleep_skipped_at"):
        parts.append(f"{clock_time(told['sleep_skipped_at'])} is left out")
    if by := put_off_text(told):
        parts.append(f"put off by {by}")
    return ", ".join(parts)


def put_off_text(schedule: Json) -> str:
    """Who left its time to sleep out, or moved it, and for what; "" where nobody did."""
    if not schedule.get("put_off_by"):
        return ""
    return word(schedule["put_off_by"]) + (" for the whole project" if schedule.get("put_off_for") == "project" else "")


def _cleanup(item: Json) -> str:
    """When and why it is to be deleted, and until when somebody keeps it."""
    told = item.get("cleanup") or {}
    if not told.get("at"):
        return f"kept until {clock_time(told['kept_until'])}" if told.get("kept_until") else ""
    waits = "; it takes its owner's yes" if told.get("state") == "awaiting-consent" else ""
    return f"to be deleted {clock_time(told['at'])}{waits}: {word(told.get('why'))}"


def _kept(retained: Json) -> str:
    """Where it came from, and how long it can go back."""
    until = retained.get("until")
    return f"{word(retained.get('host'))}, kept asleep" + (f" until {minute(until)}" if until else "")


def _wanted(spec: Json) -> str:
    """What its host was to be."""
    parts = [f"region {word(spec['region'])}"] if spec.get("region") else []
    parts += [f"hosts with {labels(spec['host_labels'])}"] if spec.get("host_labels") else []
    return ", ".join(parts)


def _glass(grant: Json) -> str:
    who, role = word(grant.get("who")), word(grant.get("role"))
    return f"{who} of the platform staff is {role} until {minute(grant.get('until'))}: {word(grant.get('reason'))}"


def conditions_show(item: Json, now: datetime) -> None:
    """The conditions in words, with since when."""
    conditions = [condition for condition in item.get("conditions") or () if isinstance(condition, dict)]
    if not conditions:
        return
    out = console()
    out.print(Text("\nConditions", style="bold"))
    width = max(len(word(condition.get("type"))) for condition in conditions)
    for condition in conditions:
        out.print(_condition_line(condition, width, now))


def _condition_line(condition: Json, width: int, now: datetime) -> Text:
    status = word(condition.get("status"))
    words = clean(str(condition.get("message") or condition.get("reason") or ""))
    kind = word(condition.get("type"))
    mood = {"True": "bad", "False": "good"}.get(status, "") if kind in BAD_WHEN_TRUE else ""
    line = Text(f"  {kind.ljust(width)}  ").append_text(state_text(status, mood).append("  "))
    since = age(condition.get("last_transition_time"), now)
    return line.append(words, style="default").append(f"  (for {since})" if since != "-" else "", style="bright_black")


def operation_show(raw: Json, now: datetime) -> None:
    """An operation with its steps."""
    operation = operation_read(raw)
    out = console()
    out.print(
        heading(f"\nOperation {operation.kind}  ")
        .append_text(state_text(operation.state))
        .append(f"  {operation.id}", style="bright_black")
    )
    if operation.progress:
        out.print(Text(f"  {operation.progress}", style="bright_black"))
    if operation.steps or not operation.ended:
        out.print(timeline(operation, now))
    if operation.state == "Failed":
        out.print(Text(f"  {operation.error_message}", style="red"))
        out.print(Text(f"  {operation.error_hint}".rstrip()))
    if operation.left_behind:
        out.print(Text("  Left behind:", style="bold"))
        for line in operation.left_behind:
            out.print(Text(f"    {line}"))
