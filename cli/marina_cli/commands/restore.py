"""`marina restore`."""

from __future__ import annotations

import click

from marina_cli.commands.dry_run import dry_run_check, dry_run_option, dry_run_tell
from marina_cli.commands.restored import restored_show
from marina_cli.commands.waiting import operation_await, wait_options, watch_command
from marina_cli.completing import complete_clusters, complete_hosts, complete_projects, complete_versions
from marina_cli.durations import span
from marina_cli.errors import CliError, ExitCode, UsageProblem
from marina_cli.lookup import cluster_find, is_id
from marina_cli.output import note, output_option, print_one
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json, word

SHOWN = 20
"""So many of the objects that are not as they were are named."""


@click.command("restore")
@click.argument("name", metavar="NAME|EXPORT-ID")
@click.option("--as", "new_name", metavar="NAME", help="The name of the new cluster; as it was called unless given.")
@project_option
@click.option("--to-project", metavar="ORG/NAME", shell_complete=complete_projects, help="The new cluster's project.")
@click.option("--host", metavar="HOST", shell_complete=complete_hosts, help="The new cluster's host.")
@click.option(
    "--kubernetes-version", metavar="V", shell_complete=complete_versions, help="Of the new cluster; as it was."
)
@click.option("--into", metavar="CLUSTER", shell_complete=complete_clusters, help="A cluster that is there already.")
@click.option("--overwrite", is_flag=True, help="With --into: bring what is there and differs to what was exported.")
@click.option("--older", is_flag=True, help="Also into an older Kubernetes, which may refuse some of it.")
@dry_run_option
@wait_options
@output_option
@pass_session
def restore(
    session: Session,
    name: str,
    new_name: str | None,
    project: str | None,
    to_project: str | None,
    host: str | None,
    kubernetes_version: str | None,
    into: str | None,
    overwrite: bool,
    older: bool,
    dry_run: bool,
    wait: bool,
    timeout: int,
    form: str,
) -> None:
    """Make a deleted virtual cluster again from its newest export, or from the export with this id.

    With --into its objects are made in a cluster that is there: what is there already and differs is listed and left
    as it is. The data of volumes is in no export. Without --to-project a cluster is made again in its own project.
    """
    dry_run_check(dry_run, wait)
    new = {"name": new_name, "project": to_project, "host": host, "kubernetes_version": kubernetes_version}
    body: Json = {key: value for key, value in new.items() if value}
    _options_check(body, into, overwrite)
    if older:
        body["older_kubernetes"] = True
    if into:
        body["into"] = str(cluster_find(session, into, project)["id"])
    if overwrite:
        body["overwrite"] = True
    export = name if is_id(name) else str(_newest(session, name, project)["id"])
    started = session.clock.monotonic()
    answer = session.api.start("POST", f"/exports/{export}/restore", body, dry_run=dry_run)
    item: Json = answer["virtual_cluster"]
    if dry_run:
        dry_run_tell(item, form, f"{item.get('name')} would be restored.")
        return
    operation: Json = answer["operation"]
    if wait:
        operation_await(session, answer, timeout)
        operation = session.api.get(f"/operations/{operation['id']}")
        item = session.api.get(f"/virtual-clusters/{item['id']}")

    def people(item: Json) -> None:
        if not wait:
            click.echo(f"{word(item.get('name'))} is being restored.")
            note(f"Watch it with `{watch_command(answer)}`.")
            return
        click.echo(f"{word(item.get('name'))} was restored in {span(session.clock.monotonic() - started)}.")
        _tell(operation)

    print_one(item, form, people)


def _options_check(new: Json, into: str | None, overwrite: bool) -> None:
    if into and new:
        raise UsageProblem(
            "--as, --to-project, --host and --kubernetes-version are said of a new cluster, --into names another one."
        )
    if overwrite and not into:
        raise UsageProblem("--overwrite goes with --into: in a new cluster there is nothing to overwrite.")


def _newest(session: Session, name: str, project: str | None) -> Json:
    """The newest export of the cluster of this name that was deleted last, else of the one that is there."""
    query = {"project": session.project(project), "name": name}
    every = [*session.api.pages("/virtual-clusters", {**query, "phase": "Deleted"})]
    every = [each for each in every if each.get("name") == name and each.get("phase") == "Deleted"]
    every.sort(key=lambda each: str(each.get("deleted_at")), reverse=True)
    living = [each for each in session.api.pages("/virtual-clusters", query) if each.get("phase") != "Deleted"]
    for cluster in [*every, *living]:
        complete = session.api.pages("/exports", {"virtual_cluster": str(cluster["id"]), "state": "Complete"})
        if (found := next(iter(complete), None)) is not None:
            return found
    raise CliError(
        f"There is no export of a virtual cluster {name!r} in {query['project']} that can be restored.",
        hint="See what there is with `marina export list`.",
        exit_code=ExitCode.NOT_FOUND,
    )


def _tell(operation: Json) -> None:
    """What came of it, the first of what is not as it was."""
    if more := restored_show(operation, most=SHOWN):
        note(f"{more} more: `marina op get {operation['id']}` has them all.")
