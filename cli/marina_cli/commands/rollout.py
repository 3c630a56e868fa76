"""`marina rollout`: one change of many virtual clusters, wave after wave."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import click

from marina_cli.commands.dry_run import dry_run_option
from marina_cli.commands.rollout_views import COLUMNS, member_columns, plan_show, rollout_show
from marina_cli.commands.rollout_watching import rollout_follow
from marina_cli.completing import complete_hosts, complete_projects, complete_versions
from marina_cli.durations import DURATION, duration_parse
from marina_cli.errors import CliError, ExitCode, UsageProblem
from marina_cli.given import labels_parse
from marina_cli.lookup import host_find, is_id, organization_find
from marina_cli.output import note, output_option, print_list, print_one
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, word

PATH = "/rollouts"
STATES = ("Queued", "Running", "Soaking", "Succeeded", "Failed", "Skipped")


@click.group("rollout")
def rollout() -> None:
    """Upgrade or move many clusters, wave after wave; it goes on by itself, whoever is logged in."""


@rollout.command("create")
@click.argument("name")
@click.option("--kubernetes", metavar="VERSION", shell_complete=complete_versions, help="Upgrade them to this version.")
@click.option("--chart", metavar="VERSION", help="Upgrade them to this version of vcluster's chart.")
@click.option("--to", metavar="HOST", shell_complete=complete_hosts, help="Move them to this host.")
@click.option("--evacuate", metavar="HOST", shell_complete=complete_hosts, help="Move them off this host.")
@click.option("--project", "-p", metavar="ORG/NAME", shell_complete=complete_projects, help="Those of this project.")
@click.option("--organization", metavar="NAME", help="Those of all projects of this organization.")
@click.option("--platform", is_flag=True, help="Those of everybody; for platform staff.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Only those with this label.")
@click.option("--on-version", metavar="VERSION", help="Only those with this version, or minor such as 1.35.")
@click.option("--on-host", metavar="HOST", shell_complete=complete_hosts, help="Only those on this host.")
@click.option("--waves", metavar="WAVES", help="Numbers, then percent, each with those before: 1,10%,50%,100%.")
@click.option("--pause", metavar="SPAN|ask", help="Between waves: 10m, or `ask` to wait until somebody resumes it.")
@click.option("--soak", type=DURATION, help="How long a cluster has to stay well before that counts.")
@click.option("--failures", metavar="NUMBER", help="How many may fail before it halts: 2, or 5%.  [default: 0]")
@click.option("--max-parallel", type=click.IntRange(min=1), help="How many at once.  [default: 5]")
@click.option(
    "--choose",
    "choices",
    multiple=True,
    metavar="CHOICE=OPTION",
    help="For what a preflight asks, such as removed-apis=accept; of upgrades also differences=accept.",
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--watch", "watches", is_flag=True, help="Follow it until it ends.")
@dry_run_option
@output_option
@pass_session
def rollout_create(
    session: Session, /, name: str, yes: bool, watches: bool, dry_run: bool, form: str, **given: Any
) -> None:
    """Make the rollout NAME, after showing its waves.

    Without --project, --organization and --platform it goes over the default project.
    """
    body = {"name": name, **_scope(session, given), **_what(session, given), **_how(given)}
    planned = session.api.start("POST", PATH, body, dry_run=True)
    if dry_run:
        print_one(planned, form, plan_show)
        if form in ("table", "wide"):
            note("Nothing was done: this was a dry run.")
        return
    if form in ("table", "wide"):
        plan_show(planned)
    if not yes and sys.stdin.isatty() and not click.confirm(f"Begin the rollout {name}?", err=True):
        note("Nothing was begun.")
        raise click.exceptions.Exit(ExitCode.REFUSED)
    made = session.api.start("POST", PATH, body)
    if watches:
        rollout_ended(rollout_follow(session, made, None), form)
        return
    print_one(made, form, lambda _: click.echo(f"The rollout {name} has begun."))
    if form in ("table", "wide"):
        note(f"Watch it with `marina rollout watch {name}`.")


def _scope(session: Session, given: Json) -> Json:
    chosen = [key for key in ("project", "organization", "platform") if given[key]]
    if len(chosen) > 1:
        raise UsageProblem("Give one of --project, --organization and --platform.")
    if given["platform"]:
        return {}
    if given["organization"]:
        return {"organization": organization_find(session, given["organization"])}
    return {"project": session.project(given["project"])}


def _what(session: Session, given: Json) -> Json:
    versions = {"kubernetes_version": given["kubernetes"], "chart_version": given["chart"]}
    moves = given["to"] or given["evacuate"]
    if bool(any(versions.values())) == bool(moves):
        raise UsageProblem(
            "It is not said what is to be done.",
            hint="Give --kubernetes or --chart to upgrade, or --to or --evacuate to move.",
        )
    if given["evacuate"] and given["on_host"]:
        raise UsageProblem("--evacuate says already which host they are on.", hint="Leave out --on-host.")
    host = given["on_host"] or given["evacuate"]
    selector = {
        "labels": labels_parse(given["labels"]),
        "kubernetes_version": given["on_version"],
        "host": host_find(session.api, host)["id"] if host else None,
    }
    to = (
        {"host": host_find(session.api, given["to"])["id"]} if given["to"] else {k: v for k, v in versions.items() if v}
    )
    return {
        "action": "migrate" if moves else "upgrade",
        "selector": {key: value for key, value in selector.items() if value},
        "to": to,
    }


def _how(given: Json) -> Json:
    body: Json = {
        "waves": [each.strip() for each in given["waves"].split(",")] if given["waves"] else None,
        "soak_seconds": given["soak"],
        "failure_budget": given["failures"],
        "max_parallel": given["max_parallel"],
        "choices": labels_parse(given["choices"], "--choose") or None,
    }
    body = {key: value for key, value in body.items() if value is not None}
    return {**body, "pause_seconds": _pause(given["pause"])} if given["pause"] else body


def _pause(text: str) -> int | None:
    """Seconds; None: until somebody resumes it."""
    if text == "ask":
        return None
    try:
        return duration_parse(text.strip().lower())
    except ValueError:
        raise UsageProblem(f"{text!r} is no pause.", hint="Accepted: a span such as 10m, or `ask`.") from None


@rollout.command("list")
@click.option("--project", "-p", metavar="ORG/NAME", shell_complete=complete_projects, help="Only this project's.")
@click.option("--organization", metavar="NAME", help="Only this organization's.")
@click.option("--state", metavar="STATE", help="Only those in this state, such as Running.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many.")
@output_option
@pass_session
def rollout_list(
    session: Session, project: str | None, organization: str | None, state: str | None, limit: int, form: str
) -> None:
    """List the rollouts that you see, the newest first."""
    given = {"project": project, "organization": organization, "state": state}
    found = session.api.pages(PATH, {key: value for key, value in given.items() if value}, limit=limit)
    print_list(list(found), form, COLUMNS, empty="There is no such rollout.")


@rollout.command("get")
@click.argument("name")
@click.option("--members", "state", type=click.Choice(STATES), help="Only clusters that are in this state.")
@output_option
@pass_session
def rollout_get(session: Session, name: str, state: str | None, form: str) -> None:
    """Show the rollout NAME (the newest of that name, or an ID), its waves, and what became of each cluster."""
    item = rollout_find(session, name)
    members = _members(session, item, state)
    if form in ("json", "yaml"):
        item = {**item, "members": members}
    print_one(item, form, lambda item: rollout_show(item, session.clock.now()))
    if form in ("table", "wide"):
        click.echo()
        print_list(members, form, member_columns(), empty="No cluster is in this state.")


def _members(session: Session, item: Json, state: str | None) -> list[Json]:
    return list(session.api.pages(f"{PATH}/{item['id']}/members", {"state": state} if state else {}))


@rollout.command("watch")
@click.argument("name")
@click.option("--timeout", type=DURATION, default=None, help="How long to watch; without end unless given.")
@output_option
@pass_session
def rollout_watch(session: Session, name: str, timeout: int | None, form: str) -> None:
    """Follow the rollout NAME until it ends, is halted, or waits for somebody; the exit code says how."""
    rollout_ended(rollout_follow(session, rollout_find(session, name), timeout), form)


def rollout_ended(item: Json, form: str) -> None:
    """Prints how it ended; CliError where not all went well."""
    name, state = word(item.get("name")), item.get("state")
    if state == "Succeeded":
        print_one(item, form, lambda _: click.echo(f"The rollout {name} succeeded. {word(item.get('message'))}"))
        return
    hint = {
        "Paused": f"Go on with `marina rollout resume {name}`.",
        "Halted": f"Look with `marina rollout get {name} --members Failed`, then resume, retry or abort it.",
        "Completed": f"Look with `marina rollout get {name} --members Failed`; `rollout retry` tries them again.",
    }.get(str(state), "")
    raise CliError(f"The rollout {name} is {state}. {word(item.get('message'))}", hint=hint)


def rollout_find(session: Session, name: str) -> Json:
    """The newest of this name, or the one with this id; CliError (4) where there is none that the user may see."""
    if is_id(name):
        return session.api.get(f"{PATH}/{name}")
    found: Iterable[Json] = session.api.pages(PATH, {"name": name}, limit=1)
    item = next(iter(found), None)
    if item is None:
        raise CliError(
            f"There is no rollout {name!r} that you may see.",
            hint="See what there is with `marina rollout list`.",
            exit_code=ExitCode.NOT_FOUND,
        )
    return item


def _decide(session: Session, name: str, what: str, form: str) -> None:
    item = session.api.start("POST", f"{PATH}/{rollout_find(session, name)['id']}/{what}")
    print_one(
        item, form, lambda item: click.echo(f"The rollout {name} is {item.get('state')}. {word(item['message'])}")
    )


@rollout.command("pause")
@click.argument("name")
@output_option
@pass_session
def rollout_pause(session: Session, name: str, form: str) -> None:
    """Begin nothing more of the rollout NAME until it is resumed; what is at work goes on."""
    _decide(session, name, "pause", form)


@rollout.command("resume")
@click.argument("name")
@output_option
@pass_session
def rollout_resume(session: Session, name: str, form: str) -> None:
    """Let the rollout NAME go on: after a pause, at once between waves, or after it was halted."""
    _decide(session, name, "resume", form)


@rollout.command("abort")
@click.argument("name")
@output_option
@pass_session
def rollout_abort(session: Session, name: str, form: str) -> None:
    """End the rollout NAME: what has not begun is skipped, what is at work ends by itself."""
    _decide(session, name, "abort", form)


@rollout.command("retry")
@click.argument("name")
@output_option
@pass_session
def rollout_retry(session: Session, name: str, form: str) -> None:
    """Have the clusters of the rollout NAME that failed tried again, also after its end."""
    _decide(session, name, "retry", form)
