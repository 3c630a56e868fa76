"""`marina upgrade`: other versions of Kubernetes or of the chart."""

from __future__ import annotations

import sys

import click

from marina_cli.commands.report_checks import report_check
from marina_cli.commands.report_views import report_show
from marina_cli.commands.waiting import operation_await, watch_command
from marina_cli.completing import complete_chart_versions, complete_clusters, complete_versions
from marina_cli.durations import DURATION, span
from marina_cli.errors import ExitCode
from marina_cli.lookup import cluster_find
from marina_cli.output import note, output_option, print_one
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json, clean, word


@click.command("upgrade")
@click.argument("name", shell_complete=complete_clusters)
@click.option(
    "--to", metavar="V", shell_complete=complete_versions, help="Of Kubernetes: 1.36.3, or 1.36 for its newest patch."
)
@click.option("--chart", metavar="V", shell_complete=complete_chart_versions, help="Of vcluster's chart.")
@click.option(
    "--preflight", is_flag=True, help="Only look at what the upgrade would meet; exit code 1 where it would not begin."
)
@click.option(
    "--removed-apis", type=click.Choice(["accept"]), help="Although APIs that will be gone are in use, or may be."
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--detach", is_flag=True, help="Start it, and do not watch it.")
@click.option("--timeout", type=DURATION, default="1h", show_default=True, help="How long to watch.")
@project_option
@output_option
@pass_session
def upgrade(
    session: Session,
    name: str,
    to: str | None,
    chart: str | None,
    preflight: bool,
    removed_apis: str | None,
    yes: bool,
    detach: bool,
    timeout: int,
    project: str | None,
    form: str,
) -> None:
    """Upgrade the virtual cluster NAME to another Kubernetes or chart version: the newest, unless you say which.

    It goes one minor after the other and never down. What it would meet is shown first: the way, who uses what the new
    version serves no more, and until when it can be put back. Everything is exported before. A version whose image is
    missing is put back by itself.
    """
    choices = {"removed-apis": removed_apis} if removed_apis else {}
    path = f"/virtual-clusters/{cluster_find(session, name, project)['id']}"
    body: Json = {key: value for key, value in (("kubernetes_version", to), ("chart_version", chart)) if value}
    looked = _look(session, path, body, timeout)
    report = looked.get("report") or {}
    if preflight:
        print_one(looked, form, lambda _: report_show(report, choices), name="id")
        report_check(name, report, choices, done="upgraded")
        return
    report_show(report, choices, err=True)
    report_check(name, report, choices, done="upgraded")
    if not yes and sys.stdin.isatty() and not click.confirm(f"Upgrade {name} now?", err=True):
        raise click.exceptions.Exit(ExitCode.REFUSED)
    body |= {"choices": choices} if choices else {}
    _upgrade(session, path, name, body, detach=detach, timeout=timeout, form=form)


def _look(session: Session, path: str, body: Json, timeout: int) -> Json:
    answer = session.api.start("POST", f"{path}/upgrade-preflight", body)
    operation = operation_await(session, answer, timeout)
    return session.api.get(f"/operations/{operation.id}")


def _upgrade(session: Session, path: str, name: str, body: Json, *, detach: bool, timeout: int, form: str) -> None:
    started = session.clock.monotonic()
    answer = session.api.start("POST", f"{path}/upgrade", body)
    if detach:
        print_one(answer["operation"], form, lambda _: click.echo(f"{name} is being upgraded."), name="id")
        note(f"Watch it with `{watch_command(answer)}`.")
        return
    operation_await(session, answer, timeout)
    took = span(session.clock.monotonic() - started)

    def people(item: Json) -> None:
        version = word((item.get("spec") or {}).get("kubernetes_version"))
        click.echo(f"{name} is {word(item.get('phase'))} with Kubernetes {version} after {took}.")
        if said := _came_of_it(item):
            note(said)

    print_one(session.api.get(path), form, people)


def _came_of_it(item: Json) -> str:
    """What the condition says that tells of the last upgrade."""
    found = [each for each in item.get("conditions") or () if each.get("type") == "Upgraded"]
    return clean(str(found[0].get("message") or "")) if found else ""
