"""`marina kubeconfig`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from marina_cli.completing import complete_clusters
from marina_cli.durations import DURATION, span
from marina_cli.errors import CliError, ExitCode, Unreachable, UsageProblem
from marina_cli.exposure import is_unpublished, way_without_address, why_unpublished
from marina_cli.kubeconfig_file import (
    address_check,
    kubeconfig_check,
    kubeconfig_merge,
    kubeconfig_target,
    kubeconfig_with_server,
)
from marina_cli.lookup import cluster_find
from marina_cli.operations import Operation, operation_read
from marina_cli.output import note
from marina_cli.private_file import private_file_write
from marina_cli.sealed import OneTimeKey
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json
from marina_cli.watch import operation_follow, succeeded_or_raise

GONE = 410
WAIT = 120
"""Seconds; a token is issued within one or two, unless the host is slow."""


class Silent:
    """Shows nothing: a kubeconfig comes too quickly for a timeline."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to put away."""

    def show(self, operation: Operation) -> None:
        """Nothing."""

    def say(self, sentence: str) -> None:
        """Remarks are told all the same."""
        note(sentence)


@click.command()
@click.argument("name", shell_complete=complete_clusters)
@project_option
@click.option("--level", type=click.Choice(["view", "admin"]), help="What it may do; the most you may unless given.")
@click.option("--expires-in", type=DURATION, default=None, help="How long it holds, such as 1h (the default).")
@click.option("--server", metavar="URL", help="Reach the cluster at this address instead of its endpoint.")
@click.option("--output", "file", type=click.Path(dir_okay=False), metavar="FILE", help="Write it to FILE.")
@click.option("--merge", is_flag=True, help="Merge it into $KUBECONFIG or ~/.kube/config.")
@click.option("--context-name", metavar="N", help="With --merge: the context's name instead of marina-NAME.")
@pass_session
def kubeconfig(
    session: Session,
    name: str,
    project: str | None,
    level: str | None,
    expires_in: int | None,
    server: str | None,
    file: str | None,
    merge: bool,
    context_name: str | None,
) -> None:
    """Issue a kubeconfig for the virtual cluster NAME and print it, write it or merge it.

    It holds a token that expires. Only this command can read it: it is sealed to a key made for this one run.
    """
    if file and merge:
        raise UsageProblem("Give either --output or --merge.")
    _target_check(session, file, merge)
    if server:
        address_check(server)
    item = cluster_find(session, name, project)
    if not server and is_unpublished(item):
        raise CliError(
            why_unpublished(item),
            hint=way_without_address(item),
            exit_code=ExitCode.CONFLICT,
        )
    request = {"level": level, "expires_in": expires_in}
    text = _issue(session, item, {key: value for key, value in request.items() if value is not None})
    if server:
        text = kubeconfig_with_server(text, server)
    valid = f"It holds for {span(expires_in)}." if expires_in else "When it has expired, run the same command again."
    if merge:
        context = context_name or f"marina-{item['name']}"
        path = kubeconfig_target(session.environment)
        kubeconfig_merge(path, text, name=context)
        note(f"{path} has the context {context}. Use it: kubectl --context {context} get namespaces\n{valid}")
    elif file and file != "-":
        private_file_write(Path(file), text)
        note(f"Written to {file}, readable by you only. Use it: kubectl --kubeconfig {file} get namespaces\n{valid}")
    else:
        click.echo(text, nl=not text.endswith("\n"))


def _target_check(session: Session, file: str | None, merge: bool) -> None:
    """Before a token exists: what would be found out only when there is nowhere to put it."""
    if merge:
        kubeconfig_check(kubeconfig_target(session.environment))
    elif file and file != "-" and not Path(file).expanduser().parent.is_dir():
        raise UsageProblem(f"There is no folder {Path(file).parent}.", hint="Make it first, or name another file.")


def _issue(session: Session, item: Json, request: dict[str, Any]) -> str:
    try:
        return _issue_once(session, item, request)
    except CliError as error:
        # the sealed text is told once: when that answer was lost, only a new one helps
        if not isinstance(error, _Lost):
            raise
    return _issue_once(session, item, request)


class _Lost(CliError):
    """The sealed text was not received and cannot be fetched again."""


def _issue_once(session: Session, item: Json, request: dict[str, Any]) -> str:
    key = OneTimeKey()
    answer = session.api.start(
        "POST", f"/virtual-clusters/{item['id']}/kubeconfigs", {**request, "public_key": key.public}
    )
    started = operation_read(answer["operation"])
    operation = succeeded_or_raise(
        operation_follow(started, api=session.api, clock=session.clock, timeout=WAIT, view=Silent())
    )
    try:
        result = session.api.get(f"/operations/{operation.id}/sealed-result", repeat=False)
    except Unreachable as error:
        raise _Lost(error.message, hint=error.hint, exit_code=ExitCode.UNREACHABLE) from None
    except CliError as error:
        if error.status == GONE:
            raise _Lost(error.message, hint="Run the same command again.") from None
        raise
    return key.open(str(result.get("sealed", "")))
