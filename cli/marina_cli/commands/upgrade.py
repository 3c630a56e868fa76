"""`marina upgrade`."""

from __future__ import annotations

import sys

import click

from marina_cli.commands.dry_run import dry_run_check, dry_run_option, dry_run_tell
from marina_cli.commands.waiting import operation_await, wait_options, watch_command
from marina_cli.completing import complete_chart_versions, complete_clusters, complete_versions
from marina_cli.durations import span
from marina_cli.errors import ExitCode, UsageProblem
from marina_cli.lookup import cluster_find
from marina_cli.output import note, output_option, print_one
from marina_cli.reports import choices_parse, choose_option, report_check, report_show
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json, clean, word


@click.command("upgrade")
@click.argument("name", shell_complete=complete_clusters)
@project_option
@click.option(
    "--to", metavar="V", shell_complete=complete_versions, help="Of Kubernetes: 1.36.3, or 1.36 for its newest patch."
)
@click.option("--chart", metavar="V", shell_complete=complete_chart_versions, help="Of vcluster's chart.")
@click.option("--preflight", is_flag=True, help="Only tell what it would meet.")
@choose_option
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@dry_run_option
@wait_options
@output_option
@pass_session
def upgrade(
    session: Session,
    name: str,
    project: str | None,
    to: str | None,
    chart: str | None,
    preflight: bool,
    chosen: tuple[str, ...],
    yes: bool,
    dry_run: bool,
    wait: bool,
    timeout: int,
    form: str,
) -> None:
    """Upgrade the virtual cluster NAME to another Kubernetes or chart version: the newest, unless you say which.

    It goes one minor after the other and never down. Before it starts you see the way, what uses what the new version
    serves no more, and until when it can be put back; then it asks, on a terminal. Everything is exported first. An
    image that is missing is put back by itself.
    """
    dry_run_check(dry_run, wait)
    if preflight and (dry_run or wait or yes):
        raise UsageProblem("--preflight only looks: it goes with neither --dry-run, --wait nor --yes.")
    choices = choices_parse(chosen)
    item = cluster_find(session, name, project)
    path = f"/virtual-clusters/{item['id']}"
    body: Json = {key: value for key, value in (("kubernetes_version", to), ("chart_version", chart)) if value}
    if dry_run:
        answer = session.api.start("POST", f"{path}/upgrade", _with(body, choices), dry_run=True)
        dry_run_tell(answer["virtual_cluster"], form, f"{name} would be upgraded.")
        return
    looked = _looked(session, path, body, timeout)
    if preflight:
        print_one(looked["report"], form, lambda report: report_show(report, err=False))
        return
    report_show(looked["report"], err=True)
    report_check(looked["report"], choices)
    if not yes and sys.stdin.isatty() and not click.confirm(f"Upgrade {name}?", err=True):
        note("Nothing was changed.")
        raise click.exceptions.Exit(ExitCode.REFUSED)
    _upgrade(session, path, name, _with(body, choices), wait=wait, timeout=timeout, form=form)


def _with(body: Json, choices: dict[str, str]) -> Json:
    return {**body, "choices": choices} if choices else body


def _looked(session: Session, path: str, body: Json, timeout: float) -> Json:
    """The preflight's operation, once it has its report."""
    answer = session.api.start("POST", f"{path}/upgrade-preflight", body)
    operation = operation_await(session, answer, timeout)
    return session.api.get(f"/operations/{operation.id}")


def _upgrade(session: Session, path: str, name: str, body: Json, *, wait: bool, timeout: float, form: str) -> None:
    started = session.clock.monotonic()
    answer = session.api.start("POST", f"{path}/upgrade", body)
    item: Json = answer["virtual_cluster"]
    if wait:
        operation_await(session, answer, timeout)
        item = session.api.get(path)

    def people(item: Json) -> None:
        if not wait:
            click.echo(f"{name} is being upgraded.")
            note(f"Watch it with `{watch_command(answer)}`.")
            return
        version = word((item.get("spec") or {}).get("kubernetes_version"))
        took = span(session.clock.monotonic() - started)
        click.echo(f"{name} is {word(item.get('phase'))} with Kubernetes {version} after {took}.")
        note(_came_of_it(item))

    print_one(item, form, people)


def _came_of_it(item: Json) -> str:
    """What the condition says that tells of the last upgrade."""
    found = [each for each in item.get("conditions") or () if each.get("type") == "Upgraded"]
    return clean(str(found[0].get("message") or "")) if found else ""
