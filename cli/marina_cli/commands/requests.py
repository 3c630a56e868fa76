"""`marina uses` and `marina requests`: who uses a virtual cluster through the gateway, and what they did in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from marina_cli.completing import complete_clusters
from marina_cli.durations import age, second
from marina_cli.given import moment_given
from marina_cli.lookup import cluster_find
from marina_cli.output import Column, output_option, print_list
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json, word


def use_columns(now: datetime) -> tuple[Column, ...]:
    """The columns of `marina uses`."""
    return (
        Column("WHO", lambda item: word(item.get("user"))),
        Column("CLIENT", lambda item: word(item.get("client"))),
        Column("LAST READ", lambda item: age(item.get("last_read_at"), now)),
        Column("LAST WRITE", lambda item: age(item.get("last_write_at"), now)),
        Column("READS", lambda item: word(item.get("reads"))),
        Column("WRITES", lambda item: word(item.get("writes"))),
        Column("SINCE", lambda item: age(item.get("first_used_at"), now), wide=True),
    )


def request_columns(now: datetime) -> tuple[Column, ...]:
    """The columns of `marina requests`."""
    return (
        Column("TIME", lambda item: second(item.get("at")), wide=True),
        Column("AGE", lambda item: age(item.get("at"), now)),
        Column("WHO", _who),
        Column("CLUSTER", lambda item: word(item.get("cluster"))),
        Column("VERB", lambda item: word(item.get("verb"))),
        Column("WHAT", _what),
        Column("STATUS", _status),
        Column("CLIENT", lambda item: word(item.get("user_agent")).partition(" ")[0], wide=True),
        Column("ADDRESS", lambda item: word(item.get("address")), wide=True),
        Column("TOKEN", lambda item: word(item.get("by_token")), wide=True),
        Column("ID", lambda item: word(item.get("id")), wide=True),
    )


def _who(item: Json) -> str:
    who = word(item.get("user"))
    if item.get("broken_glass"):
        who += " (broken glass)"
    return f"{who} as {_other(item)}" if item.get("acting_as") else who


def _other(item: Json) -> str:
    """Whom `--as` asked for: of the groups each, since they are what gives rights."""
    groups = ", ".join(map(word, item.get("acting_as_groups") or ()))
    return f"{word(item['acting_as'])} in {groups}" if groups else word(item["acting_as"])


def _what(item: Json) -> str:
    if not item.get("resource"):
        return word(item.get("path"))
    kind = "/".join(word(item[key]) for key in ("resource", "subresource") if item.get(key))
    if item.get("group"):
        kind = f"{kind}.{word(item['group'])}"
    # Kubernetes says of a namespace that it is in itself
    within = () if item["resource"] == "namespaces" else ("namespace",)
    name = "/".join(word(item[key]) for key in (*within, "name") if item.get(key))
    return f"{kind} {name}".rstrip()


def _status(item: Json) -> str:
    if item.get("refused_for"):
        return f"{word(item.get('status'))} ({word(item['refused_for'])})"
    return word(item.get("status")) if item.get("status") else "broke off"


def filter_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which requests are chosen; received as the API's parameters, in `given`."""
    options = (
        click.option("--organization", metavar="ORG", help="Only of this organization."),
        click.option("--user", metavar="HANDLE", help="Only of this person or service account."),
        click.option("--as", "acting_as", metavar="USER", help="Only those made with `kubectl --as USER`."),
        click.option("--verb", metavar="VERB", help="get, list, watch, create, update, patch, delete, ..."),
        click.option("--resource", metavar="RESOURCE", help="Such as pods, or pods/exec."),
        click.option("--namespace", "-n", metavar="NAMESPACE", help="Inside the cluster."),
        click.option("--object", "name_of", metavar="NAME", help="Only of the object of this name."),
        click.option("--status", metavar="STATUS", help="Such as 403, 4xx or 400-499."),
        click.option("--broken-glass", is_flag=True, help="Only of platform staff who broke the glass."),
        click.option("--since", metavar="WHEN", help="From then on: 2h, 7d, or a time like 2026-11-23T10:00:00Z."),
        click.option("--until", metavar="WHEN", help="Before then, written likewise."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.command()
@click.argument("name", required=False, shell_complete=complete_clusters)
@project_option
@filter_options
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="At most so many.")
@output_option
@pass_session
def requests(
    session: Session, /, name: str | None, project: str | None, limit: int, form: str, name_of: str | None, **given: Any
) -> None:
    """List requests to virtual clusters through the gateway, newest first: who did what.

    For auditors and admins. Which requests are written down: marina project set ORG/NAME --request-audit.
    """
    chosen = {key: str(value) for key, value in given.items() if value and key != "broken_glass"}
    chosen |= {"name": name_of} if name_of else {}
    chosen |= {"broken_glass": "true"} if given["broken_glass"] else {}
    for key in ("since", "until"):
        if key in chosen:
            chosen[key] = moment_given(chosen[key], f"--{key}", session.clock.now())
    if name:
        chosen["cluster"] = str(cluster_find(session, name, project)["id"])
    elif project:
        chosen["project"] = project
    items = list(session.api.pages("/gateway-requests", chosen, limit=limit))
    print_list(items, form, request_columns(session.clock.now()), empty="No request is like that.", name="id")


@click.command()
@click.argument("name", shell_complete=complete_clusters)
@project_option
@output_option
@pass_session
def uses(session: Session, name: str, project: str | None, form: str) -> None:
    """List who uses a virtual cluster through the gateway: with what, when last, how often."""
    cluster = cluster_find(session, name, project)
    items = list(session.api.pages(f"/virtual-clusters/{cluster['id']}/uses"))
    empty = f"Nobody has used {word(cluster.get('name'))} through the gateway yet."
    print_list(items, form, use_columns(session.clock.now()), empty=empty, name="id")
