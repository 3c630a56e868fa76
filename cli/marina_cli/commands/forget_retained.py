"""Giving up what moved clusters left behind: `marina migrate NAME --forget`, and before a host is disconnected."""

from __future__ import annotations

import sys

import click

from marina_cli.commands.waiting import operation_await, watch_command
from marina_cli.errors import ExitCode
from marina_cli.output import note, print_one
from marina_cli.session import Session
from marina_cli.text import Json, clean, word


def cluster_forget(
    session: Session, key: str, name: str, host: str | None, *, yes: bool, wait: bool, timeout: int, form: str
) -> None:
    """Begins to remove what the cluster `key` left where it was before, after a yes at a terminal."""
    _agree(f"Give up what {clean(name)} left where it was before? It cannot go --back there then.", yes)
    answer = session.api.start("POST", f"/virtual-clusters/{key}/forget-retained", {"host": host} if host else {})
    if wait:
        ended = operation_await(session, answer, timeout)
        print_one(ended.raw, form, lambda _: click.echo(f"What {clean(name)} left is removed."), name="id")
        return
    print_one(answer["operation"], form, lambda _: click.echo(f"What {clean(name)} left is being removed."), name="id")
    note(f"Watch it with `{watch_command(answer)}`.")


def host_forget(session: Session, host: Json, *, yes: bool, wait: bool, timeout: int, form: str) -> bool:
    """Begins to remove all that moved clusters left on a host; whether it is free of that, as far as one may say."""
    path, name = f"/host-clusters/{host['id']}/forget-retained", word(host.get("name"))
    planned = session.api.start("POST", path, dry_run=True)
    count = len(planned["operations"])
    copies = "a copy of 1 cluster" if count == 1 else f"copies of {count} clusters"
    if count:
        _agree(f"Give up {copies} that moved away from {name}? They cannot go back there then.", yes)
    begun = session.api.start("POST", path)
    _kept_tell(begun, name)
    if wait:
        for operation in begun["operations"]:
            operation_await(session, {"operation": operation}, timeout)
        return True
    if not begun["operations"]:
        return True
    print_one(begun, form, lambda item: _removing_tell(item, name))
    return False


def _removing_tell(begun: Json, name: str) -> None:
    count = len(begun["operations"])
    which = "1 cluster" if count == 1 else f"{count} clusters"
    click.echo(f"What {which} left on {name} is being removed.")
    for operation in begun["operations"]:
        note(f"Watch it with `{watch_command({'operation': operation})}`.")
    note(f"Then: marina host disconnect {name}")


def _kept_tell(begun: Json, name: str) -> None:
    for each in begun.get("kept") or []:
        note(f"{name} still keeps what {word(each.get('virtual_cluster'))} left: {clean(str(each.get('why') or ''))}")
    if hidden := int(begun.get("hidden") or 0):
        note(f"{name} still keeps what {hidden} that you may not see left there.")


def _agree(question: str, yes: bool) -> None:
    if not yes and sys.stdin.isatty() and not click.confirm(question, err=True):
        note("Nothing was given up.")
        raise click.exceptions.Exit(ExitCode.REFUSED)
