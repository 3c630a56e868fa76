"""`marina schedule`: at what times virtual clusters sleep, wake and are exported."""

from __future__ import annotations

import click

from marina_cli.commands.cluster_views import put_off_text
from marina_cli.commands.scopes import of_scope, scope_given, scope_put, scope_text
from marina_cli.completing import complete_clusters
from marina_cli.durations import DURATION, clock_time
from marina_cli.errors import CliError, ExitCode, UsageProblem
from marina_cli.lookup import cluster_find, project_find
from marina_cli.output import Column, note, output_option, print_fields, print_list, print_one
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json, project_path, word

PATH = "/sleep-schedules"


COLUMNS = (
    Column("OF", scope_text),
    Column("SLEEP", lambda item: word(item.get("sleep_cron"))),
    Column("WAKE", lambda item: word(item.get("wake_cron"))),
    Column("EXPORT", lambda item: word(item.get("export_cron"))),
    Column("ZONE", lambda item: word(item.get("time_zone"))),
    Column("ON", lambda item: "yes" if item.get("enabled") else "no"),
    Column("ID", lambda item: word(item.get("id")), wide=True),
)


@click.group("schedule")
def schedule() -> None:
    """When clusters sleep, wake and are exported: of a project, or of one cluster in its place."""


@schedule.command("set")
@click.argument("name", required=False, shell_complete=complete_clusters)
@click.option(
    "--sleep", "sleep_cron", metavar="CRON", help="When they sleep, such as '0 20 * * MON-FRI'; '' for never."
)
@click.option("--wake", "wake_cron", metavar="CRON", help="When they wake, such as '0 7 * * MON-FRI'; '' for never.")
@click.option(
    "--export", "export_cron", metavar="CRON", help="When they are exported, such as '0 3 * * *'; '' for never."
)
@click.option("--zone", "time_zone", metavar="ZONE", help="The time zone, such as Europe/Berlin; at first UTC.")
@click.option("--on/--off", "enabled", default=None, help="Off: this cluster follows no schedule, nor its project's.")
@project_option
@output_option
@pass_session
def schedule_set(
    session: Session,
    name: str | None,
    sleep_cron: str | None,
    wake_cron: str | None,
    export_cron: str | None,
    time_zone: str | None,
    enabled: bool | None,
    project: str | None,
    form: str,
) -> None:
    """Set the schedule of the virtual cluster NAME, or without NAME of the whole project; what is not given stays."""
    given: Json = {
        "sleep_cron": sleep_cron,
        "wake_cron": wake_cron,
        "export_cron": export_cron,
        "time_zone": time_zone,
        "enabled": enabled,
    }
    body = {key: value for key, value in given.items() if value is not None}
    if not body:
        raise UsageProblem("Nothing is to be set.", hint="Give a time with --sleep, --wake or --export.")
    scope, called = scope_given(session, name, project)
    item = scope_put(session, PATH, scope, body)
    print_one(item, form, lambda item: schedule_show(session, item, called, name, project), name="id")


def schedule_show(session: Session, item: Json, called: str, name: str | None, project: str | None) -> None:
    """As people read it; of a cluster NAME also when it acts next."""
    click.echo(f"Schedule of {called}{'' if item.get('enabled') else ' (off)'}")
    if not item.get("enabled") and name:
        click.echo(f"{name} follows no schedule, nor its project's. `marina schedule delete {name}` leaves it to that.")
        return
    told = [
        ("sleep", word(item.get("sleep_cron"))),
        ("wake", word(item.get("wake_cron"))),
        ("export", word(item.get("export_cron"))),
        ("zone", word(item.get("time_zone"))),
    ]
    if name:
        told += _next_times(cluster_find(session, name, project), str(item.get("time_zone") or ""))
    print_fields(told)


@schedule.command("get")
@click.argument("name", required=False, shell_complete=complete_clusters)
@project_option
@output_option
@pass_session
def schedule_get(session: Session, name: str | None, project: str | None, form: str) -> None:
    """Show the schedule that counts for the virtual cluster NAME and when it acts next, or that of the project."""
    scope, called = scope_given(session, name, project)
    item = of_scope(session, PATH, scope)
    if item is None and name:
        cluster = cluster_find(session, name, project)
        path = project_path(cluster.get("project"))
        item, called = of_scope(session, PATH, {"project": path}), f"{path}, which {name} follows"
        times = _next_times(cluster)
        if item is None and times and form == "table":  # by a role for this cluster alone nobody sees the project's
            print_fields(times)
            return
    if item is None:
        raise _none(name or called)
    print_one(item, form, lambda item: schedule_show(session, item, called, name, project), name="id")


def _next_times(item: Json, zone: str = "") -> list[tuple[str, str]]:
    """When it acts next on one cluster, in the schedule's own zone."""
    told = item.get("schedule") or {}
    named = {
        "sleeps next": "next_sleep_at",
        "wakes next": "next_wake_at",
        "exported next": "next_export_at",
        "left out": "sleep_skipped_at",
        "postponed from": "sleep_postponed_at",
    }
    times = [(label, clock_time(told[key], zone)) for label, key in named.items() if told.get(key)]
    return [*times, ("put off by", put_off_text(told))] if times else []


def _none(called: str) -> CliError:
    return CliError(
        f"{called} has no schedule.",
        hint="Give it one with `marina schedule set`, for example --sleep '0 20 * * MON-FRI' --wake '0 7 * * MON-FRI'.",
        exit_code=ExitCode.NOT_FOUND,
    )


@schedule.command("list")
@project_option
@output_option
@pass_session
def schedule_list(session: Session, project: str | None, form: str) -> None:
    """List the schedules that you see; with --project those of that project itself."""
    found = list(session.api.pages(PATH, {"project": project} if project else {}))
    print_list(found, form, COLUMNS, empty="There is no schedule.", name="id")


@schedule.command("delete")
@click.argument("name", required=False, shell_complete=complete_clusters)
@project_option
@pass_session
def schedule_delete(session: Session, name: str | None, project: str | None) -> None:
    """Delete the schedule of the virtual cluster NAME, which then follows its project's, or of the project."""
    scope, called = scope_given(session, name, project)
    item = of_scope(session, PATH, scope)
    if item is None:
        raise _none(called)
    session.api.change("DELETE", f"{PATH}/{item['id']}")
    click.echo(f"The schedule of {called} is deleted; clusters stay as they are.")


@schedule.command("skip")
@click.argument("name", required=False, shell_complete=complete_clusters)
@project_option
@output_option
@pass_session
def schedule_skip(session: Session, name: str | None, project: str | None, form: str) -> None:
    """Not tonight: leave out the next time at which the virtual cluster NAME, or all of the project, would sleep."""
    if name is None:
        path = f"{_project_path(session, project)}/sleep-skip"
        print_one(session.api.change("POST", path), form, _say_night, name="project")
        return
    item = cluster_find(session, name, project)
    print_one(session.api.change("POST", f"/virtual-clusters/{item['id']}/sleep-skip"), form, _say_next)


@schedule.command("postpone")
@click.argument("name", required=False, shell_complete=complete_clusters)
@click.option("--by", type=DURATION, required=True, help="Such as 2h. Once for each time.")
@project_option
@output_option
@pass_session
def schedule_postpone(session: Session, name: str | None, by: int, project: str | None, form: str) -> None:
    """Let the virtual cluster NAME, or all of the project, fall asleep later than the schedule says, once."""
    if name is None:
        path = f"{_project_path(session, project)}/sleep-postponement"
        print_one(session.api.change("POST", path, {"by": by}), form, _say_night, name="project")
        return
    item = cluster_find(session, name, project)
    path = f"/virtual-clusters/{item['id']}/sleep-postponement"
    print_one(session.api.change("POST", path, {"by": by}), form, _say_next)


def _project_path(session: Session, project: str | None) -> str:
    path = session.project(project)
    return f"/projects/{project_find(session, path)['id']}"


def _say_night(item: Json) -> None:
    clusters = item.get("virtual_clusters") or []
    for each in clusters:
        _say_next(each)
        if (each.get("schedule") or {}).get("put_off_for") == "virtual-cluster":
            note(f"{word(each.get('name'))} was put off by itself, and stays so.")
    if not clusters:
        click.echo("None of its clusters is to sleep; one that comes before the night does as the project.")


def _say_next(item: Json) -> None:
    told = item.get("schedule") or {}
    click.echo(f"{word(item.get('name'))} sleeps next at {clock_time(told.get('next_sleep_at'))}.")
