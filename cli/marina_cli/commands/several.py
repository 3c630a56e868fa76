"""Several virtual clusters in one command: sent together, and told of one by one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import click

from marina_cli.errors import CliError, ExitCode, UsageProblem
from marina_cli.operations import Operation, operation_read
from marina_cli.output import note, print_data
from marina_cli.problem import problem_error
from marina_cli.session import Session
from marina_cli.text import Json, word
from marina_cli.watch import succeeded_or_raise, timed_out
from marina_cli.watch_several import operations_follow

MOST = 50
"""So many the server takes in one request."""

all_or_nothing_option = click.option(
    "--all-or-nothing", is_flag=True, help=f"With several names (at most {MOST}): if one is refused, do none."
)


@dataclass(frozen=True)
class How:
    """What the options say of the whole."""

    form: str
    wait: bool
    timeout: int
    dry_run: bool
    whole: bool


@dataclass(frozen=True)
class Told:
    """What became of one: the cluster and its operation, or the error."""

    name: str
    item: Json | None = None
    operation: Operation | None = None
    error: CliError | None = None


def batch_send(session: Session, path: str, items: dict[str, Json], how: How) -> list[Told]:
    """Has the server do it for each name; what is refused for itself is told, what is refused as a whole raises.

    More than it takes at once are sent in several requests. Once one of them was done, an error of a later one is told
    of the names in it and after it.
    """
    if how.whole and len(items) > MOST:
        raise UsageProblem(f"--all-or-nothing takes at most {MOST} names; these are {len(items)}.")
    told: list[Told] = []
    names = list(items)
    for start in range(0, len(names), MOST):
        part = names[start : start + MOST]
        try:
            told += _sent(session, path, {name: items[name] for name in part}, how)
        except CliError as error:
            error = _by_name(error, part)
            if not told:
                raise error from None
            return told + [Told(name, error=error) for name in names[start:]]
    return told


def _sent(session: Session, path: str, items: dict[str, Json], how: How) -> Iterator[Told]:
    body: Json = {"items": list(items.values())}
    if how.whole:
        body["all_or_nothing"] = True
    answer = session.api.start("POST", path, body, dry_run=how.dry_run)
    for name, result in zip(items, answer.get("results") or (), strict=True):
        problem = result.get("problem")
        if problem:
            yield Told(name, error=problem_error(problem, int(result.get("status") or 0), session.api.server))
        else:
            yield Told(name, item=result["virtual_cluster"], operation=operation_read(result["operation"]))


def _by_name(error: CliError, names: Sequence[str]) -> CliError:
    """With the names that were given in place of their numbers."""

    def named(field: str) -> str:
        return re.sub(r"^items\[(\d+)\]", lambda found: names[int(found[1])], field)

    error.fields = tuple(replace(each, field=named(each.field)) for each in error.fields)
    return error


def several_end(session: Session, told: list[Told], how: How, *, sentence: str, ended: Callable[[Told], str]) -> None:
    """Tells what became of each (`sentence` has a place for the name) and, with --wait, how it ended.

    Ends the command with the exit code of what went wrong, 1 where that was more than one thing.
    """
    if how.wait:
        told = _followed(session, told, how.timeout)
    done = [each for each in told if each.error is None]
    if how.form in ("json", "yaml"):
        print_data([each.item for each in done], how.form)
    for each in done:
        if how.form == "name":
            click.echo(word((each.item or {}).get("name")))
        elif how.form in ("table", "wide"):
            click.echo(ended(each) if how.wait else sentence.format(name=each.name))
    if how.dry_run:
        note("Nothing was done: this was a dry run.")
    elif done and not how.wait:
        note("Watch one with `marina op watch NAME`, all with `marina list`.")
    _errors_tell(told)


def _followed(session: Session, told: list[Told], timeout: int) -> list[Told]:
    begun = [each.operation for each in told if each.operation]
    followed = operations_follow(begun, api=session.api, clock=session.clock, timeout=timeout)
    by_id = {each.id: each for each in followed}
    return [_end(session, each, by_id[each.operation.id], timeout) if each.operation else each for each in told]


def _end(session: Session, told: Told, operation: Operation, timeout: int) -> Told:
    if not operation.ended:
        return replace(told, error=timed_out(operation, timeout))
    try:
        succeeded_or_raise(operation)
    except CliError as error:
        return replace(told, error=error)
    return replace(told, item=cluster_afterwards(session, told.item or {}, operation), operation=operation)


def cluster_afterwards(session: Session, item: Json, operation: Operation) -> Json:
    """The cluster as it is once its operation has succeeded."""
    try:
        return session.api.get(f"/virtual-clusters/{item['id']}")
    except CliError as error:
        if operation.kind != "delete" or error.exit_code != ExitCode.NOT_FOUND:
            raise
    # who no longer may see it, or where it is forgotten, knows this much all the same
    return {**item, "phase": "Deleted", "operation": operation.raw}


def _errors_tell(told: list[Told]) -> None:
    errors = [(each.name, each.error) for each in told if each.error]
    for name, error in errors:
        first, *others = error.lines()
        note("\n".join([f"{name}: {first}", *others]))
    codes = {error.exit_code for _, error in errors}
    if codes:
        raise click.exceptions.Exit(codes.pop() if len(codes) == 1 else ExitCode.REFUSED)
