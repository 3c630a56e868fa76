"""`marina transfer`, `marina ceiling`: who answers for a virtual cluster, and what kubeconfigs give inside it."""

from __future__ import annotations

import click

from marina_cli.commands.waiting import operation_await, wait_options, watch_command
from marina_cli.completing import complete_clusters, complete_projects
from marina_cli.errors import UsageProblem
from marina_cli.lookup import cluster_find
from marina_cli.output import note, output_option, print_one
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json, project_path, word

CEILINGS = ("none", "view", "admin")


@click.command("transfer")
@click.argument("name", shell_complete=complete_clusters)
@click.option("--owner", metavar="WHO", help="Its owner from now on: a handle, team:NAME or service-account:NAME.")
@click.option("--to-project", metavar="ORG/NAME", shell_complete=complete_projects, help="The project it goes to.")
@project_option
@wait_options
@output_option
@pass_session
def transfer(
    session: Session,
    name: str,
    owner: str | None,
    to_project: str | None,
    project: str | None,
    wait: bool,
    timeout: int,
    form: str,
) -> None:
    """Give the virtual cluster NAME to another owner, or take it into another project.

    Roles that were given for it alone stay. With another project, what its host knows of it follows by an operation.
    """
    if not owner and not to_project:
        raise UsageProblem("Say to whom it goes, or where.", hint="Use --owner WHO, --to-project ORG/NAME, or both.")
    item = cluster_find(session, name, project)
    body = {key: value for key, value in (("owner", owner), ("project", to_project)) if value}
    answer = session.api.start("POST", f"/virtual-clusters/{item['id']}/transfer", body)
    # where nothing is started the answer is the cluster, which names its last operation too
    started = "virtual_cluster" in answer
    changed: Json = answer["virtual_cluster"] if started else answer
    if wait and started:
        operation_await(session, answer, timeout)

    def people(_: Json) -> None:
        where = project_path(changed.get("project"))
        click.echo(f"{word(changed.get('name'))} of {where} belongs to {word(changed.get('owner'))}.")
        if started and not wait:
            note(f"Its host is told: watch it with `{watch_command(answer)}`.")

    print_one(changed, form, people)


@click.command("ceiling")
@click.argument("name", shell_complete=complete_clusters)
@click.argument("level", type=click.Choice(CEILINGS))
@project_option
@output_option
@pass_session
def ceiling(session: Session, name: str, level: str, project: str | None, form: str) -> None:
    """Set the most that a kubeconfig gives inside the virtual cluster NAME: none, view or admin.

    For admins of its project, which has a ceiling of its own (`marina project set --kubeconfig-ceiling`); the lower of
    both counts.
    """
    item = cluster_find(session, name, project)
    changed = session.api.change("PATCH", f"/virtual-clusters/{item['id']}", {"kubeconfig_ceiling": level})
    print_one(changed, form, lambda _: click.echo(f"The ceiling of {word(item.get('name'))} is {level}."))
