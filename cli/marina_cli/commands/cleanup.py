"""`marina cleanup` and `marina extend`: what becomes of clusters that nobody uses, and how to keep them."""

from __future__ import annotations

import sys

import click

from marina_cli.commands.cleanup_views import ITEMS, OUTLOOK, RUNS, cluster_path, outlook_show
from marina_cli.completing import complete_clusters
from marina_cli.durations import DURATION, clock_time, minute
from marina_cli.errors import ExitCode
from marina_cli.lookup import cluster_find
from marina_cli.output import note, output_option, print_data, print_list, print_one
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json, word


@click.command("extend")
@click.argument("name", shell_complete=complete_clusters)
@click.option("--for", "by", type=DURATION, required=True, help="For how much longer, such as 7d.")
@project_option
@output_option
@pass_session
def extend(session: Session, name: str, by: int, project: str | None, form: str) -> None:
    """Keep the virtual cluster NAME for longer: beyond the date on which it is to be deleted, else from now."""
    item = cluster_find(session, name, project)
    kept = session.api.change("POST", f"/virtual-clusters/{item['id']}/extension", {"by": by})

    def people(item: Json) -> None:
        name, until = word(item.get("name")), clock_time((item.get("cleanup") or {}).get("kept_until"))
        if item.get("expires_at"):
            click.echo(f"{name} lives until {clock_time(item['expires_at'])}.")
            click.echo(f"For lack of use it is not deleted before {until}.")
        else:
            click.echo(f"{name} is kept until {until}, used or not.")

    print_one(kept, form, people)


@click.group("cleanup")
def cleanup() -> None:
    """What becomes of clusters that nobody uses: they sleep, their owner is warned, then they are deleted."""


@cleanup.command("preview")
@click.option("--all", "everything", is_flag=True, help="Also clusters with which nothing is done, and why not.")
@output_option
@pass_session
def cleanup_preview(session: Session, everything: bool, form: str) -> None:
    """List what the next sweep does to the clusters that you see, and why. Nothing is changed."""
    told = session.api.get("/cleanup/preview", {"all": "true"} if everything else None)
    if form in ("json", "yaml"):
        print_data(told, form)
        return
    if told.get("stopped"):
        note("All cleanup is stopped (marina cleanup status), so nothing of this is done.")
    elif told.get("after_gap"):
        note("Nobody has swept for long, so the next sweep deletes nothing and warns anew.")
    items = [{**item, "name": cluster_path(item)} for item in told.get("clusters") or ()]
    print_list(items, form, OUTLOOK, empty="The next sweep does nothing to your clusters.")
    if form != "name":
        _staff_note(session)


def _staff_note(session: Session) -> None:
    """Whoever runs the platform sees no tenant's cluster here."""
    if session.me.get("is_staff"):
        note("As platform staff you see all clusters on the admin site: /admin/clusters/cleanupswitch/.")


@cleanup.command("get")
@click.argument("name", shell_complete=complete_clusters)
@project_option
@output_option
@pass_session
def cleanup_get(session: Session, name: str, project: str | None, form: str) -> None:
    """Show what becomes of the virtual cluster NAME, why, by which signals, and which policy counts."""
    item = cluster_find(session, name, project)
    told = session.api.get(f"/virtual-clusters/{item['id']}/cleanup")
    now = session.clock.now()
    print_one({**told, "name": name}, form, lambda told: outlook_show(told, item, now))


@cleanup.command("consent")
@click.argument("name", shell_complete=complete_clusters)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@project_option
@output_option
@pass_session
def cleanup_consent(session: Session, name: str, yes: bool, project: str | None, form: str) -> None:
    """Say yes to the deletion of the virtual cluster NAME that its owner was warned of."""
    item = cluster_find(session, name, project)
    if not yes and sys.stdin.isatty():
        note(f"{name} is then deleted on its date. It is exported first, without the data of its volumes.")
        if not click.confirm(f"Let {name} be deleted?", err=True):
            raise click.exceptions.Exit(ExitCode.REFUSED)
    said = session.api.change("POST", f"/virtual-clusters/{item['id']}/cleanup-consent")
    date = clock_time((said.get("cleanup") or {}).get("at"))
    print_one(said, form, lambda item: click.echo(f"{word(item.get('name'))} may be deleted from {date} on."))


LIMIT = click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many.")


@cleanup.command("runs")
@LIMIT
@output_option
@pass_session
def cleanup_runs(session: Session, limit: int, form: str) -> None:
    """List the reports of sweeps, newest first; for platform staff."""
    found = list(session.api.pages("/cleanup/runs", limit=limit))
    print_list(found, form, RUNS, empty="There is no report that you may see.", name="id")


@cleanup.command("log")
@click.argument("name", required=False, shell_complete=complete_clusters)
@LIMIT
@project_option
@output_option
@pass_session
def cleanup_log(session: Session, name: str | None, limit: int, project: str | None, form: str) -> None:
    """List what sweeps did to the clusters that you see, or to the virtual cluster NAME, newest first."""
    chosen = {"virtual_cluster": str(cluster_find(session, name, project)["id"])} if name else {}
    found = list(session.api.pages("/cleanup/items", chosen, limit=limit))
    print_list(found, form, ITEMS, empty=f"Nothing was done to {name or 'your clusters'}.", name="id")


@cleanup.command("status")
@output_option
@pass_session
def cleanup_status(session: Session, form: str) -> None:
    """Tell whether all cleanup is stopped, by whom and why."""
    print_one(session.api.get("/cleanup/switch"), form, _switch_say)


@cleanup.command("stop")
@click.option("--reason", required=True, help="Why, for those who find it stopped.")
@output_option
@pass_session
def cleanup_stop(session: Session, reason: str, form: str) -> None:
    """Stop all cleanup at once; for platform staff."""
    print_one(session.api.change("PUT", "/cleanup/switch", {"stopped": True, "reason": reason}), form, _switch_say)


@cleanup.command("resume")
@output_option
@pass_session
def cleanup_resume(session: Session, form: str) -> None:
    """Let the cleanup go on; for platform staff. After a long stop owners are warned anew first."""
    print_one(session.api.change("PUT", "/cleanup/switch", {"stopped": False}), form, _switch_say)


def _switch_say(item: Json) -> None:
    if not item.get("stopped"):
        click.echo("The cleanup is on.")
        return
    by = f" by {word(item['changed_by'])}" if item.get("changed_by") else ""
    click.echo(f"All cleanup is stopped{by} since {minute(item.get('changed_at'))}: {word(item.get('reason'))}")
