"""`marina migrate`: a virtual cluster moves to another host."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click

from marina_cli.commands.forget_retained import cluster_forget
from marina_cli.commands.move_options import move_choices, move_options
from marina_cli.commands.report_checks import blocked_check, choices_missing, report_check
from marina_cli.commands.report_views import choices_open, report_show
from marina_cli.commands.waiting import operation_await, watch_command
from marina_cli.completing import complete_clusters, complete_hosts
from marina_cli.durations import DURATION, span
from marina_cli.errors import ExitCode, FieldError, UsageProblem
from marina_cli.lookup import cluster_find, is_id
from marina_cli.output import note, output_option, print_one
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json, clean

ORDERS = ("stop-first", "start-first")


@click.command("migrate")
@click.argument("name", metavar="NAME|ID", shell_complete=complete_clusters)
@click.option("--to", metavar="HOST", shell_complete=complete_hosts, help="The host; without it Marina chooses one.")
@click.option("--back", is_flag=True, help="Back to where it came from, with what was written since.")
@click.option("--forget", is_flag=True, help="Give up what it left where it was: it cannot go --back there then.")
@click.option("--kept-on", metavar="HOST", help="With --forget: which, where several hosts keep something of it.")
@click.option("--wait", is_flag=True, help="With --forget: wait until that is removed. A move is watched without it.")
@click.option(
    "--preflight", is_flag=True, help="Only look at what the move would meet; exit code 1 where it would not begin."
)
@move_options
@click.option("--differences", type=click.Choice(["accept"]), help="Although the copy is not the same in all.")
@click.option(
    "--order",
    "orders",
    multiple=True,
    metavar="WORKLOAD=ORDER",
    help="Such as Deployment.apps/shop/web=start-first, or stop-first. Can be given several times.",
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--detach", is_flag=True, help="Start it, and do not watch it.")
@click.option("--timeout", type=DURATION, default="1h", show_default=True, help="How long to watch.")
@project_option
@output_option
@pass_session
def migrate(
    session: Session,
    /,
    name: str,
    to: str | None,
    back: bool,
    forget: bool,
    kept_on: str | None,
    wait: bool,
    preflight: bool,
    differences: str | None,
    orders: tuple[str, ...],
    yes: bool,
    detach: bool,
    timeout: int,
    project: str | None,
    form: str,
    **chosen: str | None,
) -> None:
    """Move the virtual cluster NAME to another host cluster; its address at the gateway stays.

    What the move would meet is shown first: what is in its way, what has to be chosen, and for how long nothing can
    be written to it. Then it is copied while it works, frozen for a moment, and goes on at the other host. What it left
    is kept there for some days, asleep, so that it can go --back; --forget gives that up at once.
    """
    _one_of(to=to, back=back, preflight=preflight, forget=forget, kept_on=kept_on)
    if forget:
        key = name if is_id(name) else str(cluster_find(session, name, project)["id"])
        cluster_forget(session, key, name, kept_on, yes=yes, wait=wait, timeout=timeout, form=form)
        return
    choices = move_choices(chosen) | ({"differences": differences} if differences else {})
    body = _body(to, back, choices, orders)
    # platform staff may move what they do not see; they name it by its id
    key = name if is_id(name) else str(cluster_find(session, name, project)["id"])
    looked = _look(session, key, body, timeout)
    report = looked.get("report") or {}
    if preflight:
        print_one(looked, form, lambda _: report_show(report, choices), name="id")
        report_check(name, report, choices, done="moved")
        return
    report_show(report, choices, err=True)
    blocked_check(name, report, done="moved")
    choices |= _ask(report, choices, yes)
    _agree(name, yes)
    _move(session, key, name, _body(to, back, choices, orders), detach=detach, timeout=timeout, form=form)


def _one_of(*, to: str | None, back: bool, preflight: bool, forget: bool, kept_on: str | None) -> None:
    if to and back:
        raise UsageProblem("--back goes to where it came from, --to names a host.", hint="Give one of the two.")
    if forget and (to or back or preflight):
        raise UsageProblem("--forget moves nothing: it gives up what a move left.", hint="Give it alone.")
    if kept_on and not forget:
        raise UsageProblem("--kept-on says what --forget gives up.", hint="Give both.")


def _body(to: str | None, back: bool, choices: dict[str, str], orders: Iterable[str]) -> Json:
    body: Json = {"to": to} if to else {}
    body |= {"back": True} if back else {}
    body |= {"choices": choices} if choices else {}
    ordered = dict(_order(each) for each in orders)
    return body | ({"orders": ordered} if ordered else {})


def _order(text: str) -> tuple[str, str]:
    """As the API takes it: "Deployment.apps shop/web" and the order."""
    workload, equals, order = text.rpartition("=")
    parts = workload.split("/")
    if not equals or order not in ORDERS or len(parts) != 3 or not all(parts):
        accepted = f"KIND.GROUP/NAMESPACE/NAME={'|'.join(ORDERS)}"
        raise UsageProblem(
            f"{text!r} is no order of a workload.", fields=[FieldError("--order", "It is not understood.", accepted)]
        )
    return f"{parts[0]} {parts[1]}/{parts[2]}", order


def _look(session: Session, key: str, body: Json, timeout: int) -> Json:
    answer = session.api.start("POST", f"/virtual-clusters/{key}/migrate-preflight", body)
    operation = operation_await(session, answer, timeout)
    return session.api.get(f"/operations/{operation.id}")


def _ask(report: Json, made: dict[str, str], yes: bool) -> dict[str, str]:
    """What is still to be chosen, from who sits there. Else CliError, with the options that choose it."""
    still = choices_open(report, made)
    if still and (yes or not sys.stdin.isatty()):
        raise choices_missing(still, done="moved")
    return {name: _asked(name, list(options)) for name, options in still.items()}


def _asked(name: str, options: list[str]) -> str:
    answer: str = click.prompt(clean(name), type=click.Choice([*map(clean, options), "stop"]), err=True)
    if answer == "stop":
        raise click.exceptions.Exit(ExitCode.REFUSED)
    return answer


def _agree(name: str, yes: bool) -> None:
    if not yes and sys.stdin.isatty() and not click.confirm(f"Move {name} now?", err=True):
        raise click.exceptions.Exit(ExitCode.REFUSED)


def _move(session: Session, key: str, name: str, body: Json, *, detach: bool, timeout: int, form: str) -> None:
    started = session.clock.monotonic()
    answer = session.api.start("POST", f"/virtual-clusters/{key}/migrate", body)
    if detach:
        print_one(answer["operation"], form, lambda _: click.echo(f"{name} is being moved."), name="id")
        note(f"Watch it with `{watch_command(answer)}`.")
        return
    ended = operation_await(session, answer, timeout)
    took = span(session.clock.monotonic() - started)

    def people(item: Json) -> None:
        click.echo(f"{name} was moved in {took}. {clean(str(item.get('message') or ''))}".strip())

    print_one(ended.raw, form, people, name="id")
