"""`marina create`."""

from __future__ import annotations

import click

from marina_cli.commands.dry_run import dry_run_check, dry_run_option, dry_run_tell
from marina_cli.commands.explain import placement_explain
from marina_cli.commands.several import How, all_or_nothing_option, batch_send, several_end
from marina_cli.commands.waiting import operation_await, wait_options, watch_command
from marina_cli.completing import (
    complete_exposures,
    complete_hosts,
    complete_projects,
    complete_sizes,
    complete_versions,
)
from marina_cli.durations import DURATION, span
from marina_cli.errors import UsageProblem
from marina_cli.exposure import is_unpublished, way_without_address, why_unpublished
from marina_cli.given import labels_parse, values_read
from marina_cli.output import note, output_option, print_one
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, word


@click.command("create")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--project", "-p", metavar="ORG/NAME", shell_complete=complete_projects, help="The project it is for.")
@click.option("--host", metavar="HOST", shell_complete=complete_hosts, help="The host; chosen for you unless given.")
@click.option("--region", metavar="R", help="Only a host in this region.")
@click.option("--host-label", "host_labels", metavar="K=V", multiple=True, help="Only a host with it; repeat it.")
@click.option(
    "--kubernetes-version", metavar="V", shell_complete=complete_versions, help="Such as 1.36; see `marina options`."
)
@click.option("--chart-version", metavar="V", help="The version of the vcluster chart.")
@click.option("--size", metavar="S", shell_complete=complete_sizes, help="Such as small; see `marina options`.")
@click.option(
    "--exposure", metavar="E", shell_complete=complete_exposures, help="How its API is published; see `marina options`."
)
@click.option("--values", "values_file", metavar="FILE", help="Chart values as YAML; - for standard input.")
@click.option("--label", "labels", metavar="K=V", multiple=True, help="A label; may be repeated.")
@click.option("--owner", metavar="WHO", help="Its owner instead of you: a handle, team:NAME or service-account:NAME.")
@click.option("--lifetime", type=DURATION, default=None, help="How long it is meant to live, such as 7d.")
@click.option("--protect", is_flag=True, help="Protect it from being deleted.")
@click.option("--explain", is_flag=True, help="Create nothing; say which host it would get, and why no other.")
@all_or_nothing_option
@dry_run_option
@wait_options
@output_option
@pass_session
def create(
    session: Session,
    names: tuple[str, ...],
    project: str | None,
    host: str | None,
    region: str | None,
    host_labels: tuple[str, ...],
    kubernetes_version: str | None,
    chart_version: str | None,
    size: str | None,
    exposure: str | None,
    values_file: str | None,
    labels: tuple[str, ...],
    owner: str | None,
    lifetime: int | None,
    protect: bool,
    explain: bool,
    all_or_nothing: bool,
    dry_run: bool,
    wait: bool,
    timeout: int,
    form: str,
) -> None:
    """Create the virtual cluster NAME, or several that are alike.

    Without --wait it returns at once, and the work goes on by itself. Of several each is created or refused on its own.
    """
    dry_run_check(dry_run, wait)
    spec = {
        "kubernetes_version": kubernetes_version,
        "chart_version": chart_version,
        "size": size,
        "exposure": exposure,
        "values": values_read(values_file) if values_file else None,
        "region": region,
        "host_labels": labels_parse(host_labels, "--host-label") or None,
    }
    body = {
        "project": session.project(project),
        "host": host,
        "spec": {key: value for key, value in spec.items() if value is not None},
        "labels": labels_parse(labels),
        "owner": owner,
        "lifetime": lifetime,
        "deletion_protection": protect,
    }
    # what is not given is left to the server's defaults
    given = {key: value for key, value in body.items() if value}
    if len(names) > 1 and not explain:
        _create_several(session, names, given, How(form, wait, timeout, dry_run, all_or_nothing))
        return
    name = _only(names)
    if explain:
        placement_explain(session, name, body, form)
        return
    started = session.clock.monotonic()
    answer = session.api.start("POST", "/virtual-clusters", {"name": name, **given}, dry_run=dry_run)
    item: Json = answer["virtual_cluster"]
    if dry_run:
        dry_run_tell(item, form, f"{name} would be created in {body['project']}.")
        return
    if wait:
        operation_await(session, answer, timeout)
        item = session.api.get(f"/virtual-clusters/{item['id']}")

    def people(item: Json) -> None:
        if wait:
            took = span(session.clock.monotonic() - started)
            click.echo(f"{name} is {word(item.get('phase'))} after {took}.")
            note(_use_it(item, name))
        else:
            click.echo(f"{name} is being created in {body['project']}.")
            note(f"Watch it with `{watch_command(answer)}`.")

    print_one(item, form, people)


def _only(names: tuple[str, ...]) -> str:
    if len(names) > 1:
        raise UsageProblem("--explain takes one name: several that are alike would go to hosts in the same order.")
    return names[0]


def _create_several(session: Session, names: tuple[str, ...], given: Json, how: How) -> None:
    items = {name: {"name": name, **given} for name in names}
    told = batch_send(session, "/virtual-clusters/batch-create", items, how)
    what = "would be" if how.dry_run else "is being"
    several_end(
        session,
        told,
        how,
        sentence=f"{{name}} {what} created in {given['project']}.",
        ended=lambda each: f"{each.name} is {word((each.item or {}).get('phase'))}.",
    )
    if how.wait and how.form in ("table", "wide"):
        note("Use one: marina kubeconfig NAME --merge && kubectl --context marina-NAME get namespaces")


def _use_it(item: Json, name: str) -> str:
    if is_unpublished(item):
        return f"{why_unpublished(item)} {way_without_address(item)}"
    return f"Use it: marina kubeconfig {name} --merge && kubectl --context marina-{name} get namespaces"
