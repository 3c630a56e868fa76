"""`marina list`, `get`, `protect`, `unprotect`."""

from __future__ import annotations

import click

from marina_cli.commands.cluster_views import cluster_columns, cluster_show
from marina_cli.completing import complete_clusters, complete_projects
from marina_cli.errors import UsageProblem
from marina_cli.lookup import cluster_find
from marina_cli.output import output_option, print_list, print_one
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import word


@click.command("list")
@click.option("--project", "-p", metavar="ORG/NAME", shell_complete=complete_projects, help="Only this project's.")
@click.option("--all", "every", is_flag=True, help="Those of every project you may see.")
@click.option("--phase", metavar="PHASE", help="Only those in this phase, such as Ready.")
@click.option("--host", metavar="HOST", help="Only those on this host.")
@output_option
@pass_session
def cluster_list(
    session: Session, project: str | None, every: bool, phase: str | None, host: str | None, form: str
) -> None:
    """List virtual clusters: the project's, or all when there is no default project.

    Phases: Pending, Provisioning, Ready, Updating, Upgrading, Migrating, FallingAsleep, Asleep, Waking, Deleting,
    Deleted, Failed. Deleted ones are hidden unless asked for with --phase Deleted.
    """
    if project and every:
        raise UsageProblem("Give either --project or --all.")
    project = None if every else project or session.context.project
    params = {"project": project, "phase": phase, "host": host}
    items = list(session.api.pages("/virtual-clusters", {key: value for key, value in params.items() if value}))
    where = f" in {project}" if project else ""
    empty = f"There is no virtual cluster{where} yet. Make one with `marina create NAME`."
    if phase or host:
        empty = f"No virtual cluster{where} matches."
    elif not items and not project and not session.me.get("projects"):
        empty = "None that you may see: you are not in any project."
    print_list(items, form, cluster_columns(session.clock.now()), empty=empty)


@click.command("get")
@click.argument("name", shell_complete=complete_clusters)
@project_option
@output_option
@pass_session
def cluster_get(session: Session, name: str, project: str | None, form: str) -> None:
    """Show one virtual cluster: its conditions in words, its endpoint, its newest operation."""
    # the list gives a summary, the object itself the steps
    item = session.api.get(f"/virtual-clusters/{cluster_find(session, name, project)['id']}")
    print_one(item, form, lambda item: cluster_show(item, session.clock.now()))


def _protection_set(session: Session, name: str, project: str | None, wanted: bool, form: str) -> None:
    item = cluster_find(session, name, project)
    changed = session.api.change("PATCH", f"/virtual-clusters/{item['id']}", {"deletion_protection": wanted})
    sentence = "is protected: it cannot be deleted." if wanted else "is not protected any more: it can be deleted."
    print_one(changed or item, form, lambda _: click.echo(f"{word(item.get('name'))} {sentence}"))


@click.command("protect")
@click.argument("name", shell_complete=complete_clusters)
@project_option
@output_option
@pass_session
def cluster_protect(session: Session, name: str, project: str | None, form: str) -> None:
    """Protect a virtual cluster from being deleted."""
    _protection_set(session, name, project, True, form)


@click.command("unprotect")
@click.argument("name", shell_complete=complete_clusters)
@project_option
@output_option
@pass_session
def cluster_unprotect(session: Session, name: str, project: str | None, form: str) -> None:
    """Allow a virtual cluster to be deleted again."""
    _protection_set(session, name, project, False, form)
