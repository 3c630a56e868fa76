"""`marina sleep` and `marina wake`."""

from __future__ import annotations

import click

from marina_cli.commands.dry_run import dry_run_check, dry_run_option, dry_run_tell
from marina_cli.commands.waiting import operation_await, wait_options, watch_command
from marina_cli.completing import complete_clusters
from marina_cli.durations import span
from marina_cli.lookup import cluster_find
from marina_cli.output import note, output_option, print_one
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json, word


@click.command("sleep")
@click.argument("name", shell_complete=complete_clusters)
@project_option
@click.option("--why", metavar="TEXT", help="Shown on the cluster.")
@click.option("--lose-pods", is_flag=True, help="Give up pods that no controller would make again.")
@dry_run_option
@wait_options
@output_option
@pass_session
def cluster_sleep(
    session: Session,
    name: str,
    project: str | None,
    why: str | None,
    lose_pods: bool,
    dry_run: bool,
    wait: bool,
    timeout: int,
    form: str,
) -> None:
    """Put the virtual cluster NAME to sleep: its state and data stay, nothing of it runs.

    It wakes by `marina wake NAME`, or when somebody uses it with kubectl or helm through the gateway. Pods that no
    controller makes again would be lost; they are named, and it stays awake unless --lose-pods gives them up.
    """
    body: Json = {"lose_pods": True} if lose_pods else {}
    body |= {"why": why} if why else {}
    given = Given(dry_run, wait, timeout, form)
    _work(session, name, project, "sleep", body, given, begun="is falling asleep", would="would be put to sleep")


@click.command("wake")
@click.argument("name", shell_complete=complete_clusters)
@project_option
@dry_run_option
@wait_options
@output_option
@pass_session
def cluster_wake(
    session: Session, name: str, project: str | None, dry_run: bool, wait: bool, timeout: int, form: str
) -> None:
    """Wake the virtual cluster NAME; with --wait it says when its API and its workloads were back."""
    given = Given(dry_run, wait, timeout, form)
    _work(session, name, project, "wake", None, given, begun="is waking up", would="would be woken")


class Given:
    """The options that both have."""

    def __init__(self, dry_run: bool, wait: bool, timeout: int, form: str) -> None:
        dry_run_check(dry_run, wait)
        self.dry_run, self.wait, self.timeout, self.form = dry_run, wait, timeout, form


def _work(
    session: Session,
    name: str,
    project: str | None,
    verb: str,
    body: Json | None,
    given: Given,
    *,
    begun: str,
    would: str,
) -> None:
    before = cluster_find(session, name, project)
    path = f"/virtual-clusters/{before['id']}"
    started = session.clock.monotonic()
    answer = session.api.start("POST", f"{path}/{verb}", body, dry_run=given.dry_run)
    item = answer["virtual_cluster"]
    already = item.get("phase") == {"sleep": "Asleep", "wake": "Ready"}[verb]
    if given.dry_run:
        dry_run_tell(
            item, given.form, f"{name} is {word(item.get('phase'))} already." if already else f"{name} {would}."
        )
        return
    if given.wait and not already:
        operation_await(session, answer, given.timeout)
        item = session.api.get(path)

    def people(item: Json) -> None:
        if already:
            click.echo(f"{name} is {word(item.get('phase'))} already.")
        elif given.wait:
            click.echo(f"{name} is {word(item.get('phase'))} after {span(session.clock.monotonic() - started)}.")
        else:
            click.echo(f"{name} {begun}.")
            note(f"Watch it with `{watch_command(answer)}`.")

    print_one(item, given.form, people)
