"""`marina context`, `marina use-project`: what the other commands work with."""

from __future__ import annotations

from dataclasses import replace

import click

from marina_cli.completing import complete_projects
from marina_cli.config import Config, config_save
from marina_cli.errors import CliError, ExitCode, FieldError, UsageProblem
from marina_cli.output import Column, note, output_option, print_list
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, project_path, word

COLUMNS = (
    Column("CURRENT", lambda item: "*" if item["current"] else ""),
    Column("NAME", lambda item: item["name"]),
    Column("SERVER", lambda item: item["server"]),
    Column("HANDLE", lambda item: word(item["handle"])),
    Column("PROJECT", lambda item: word(item["project"])),
)


@click.group()
def context() -> None:
    """Servers you are logged in to, by name."""


@context.command("list")
@output_option
@pass_session
def context_list(session: Session, form: str) -> None:
    """List the stored contexts; tokens are not shown."""
    items: list[Json] = [
        {
            "name": item.name,
            "current": item.name == session.config.current,
            "server": item.server,
            "handle": item.handle,
            "project": item.project,
        }
        for item in session.config.contexts
    ]
    print_list(items, form, COLUMNS, empty="You are not logged in anywhere. Log in with `marina login SERVER`.")


@context.command("use")
@click.argument("name")
@pass_session
def context_use(session: Session, name: str) -> None:
    """Make NAME the current context."""
    if session.config.context(name) is None:
        known = ", ".join(item.name for item in session.config.contexts) or "none"
        raise UsageProblem(f"There is no context {name!r}. Known contexts: {known}.")
    config_save(session.config_path, Config(current=name, contexts=session.config.contexts))
    note(f"The current context is {name}.")


@click.command("use-project")
@click.argument("project", metavar="ORG/NAME", shell_complete=complete_projects)
@pass_session
def use_project(session: Session, project: str) -> None:
    """Make ORG/NAME the project that commands use when none is given."""
    stored = session.config.context(session.context.name)
    if stored is None:
        raise UsageProblem(
            "The server comes from MARINA_SERVER, so nothing can be stored for it.", hint="Set MARINA_PROJECT instead."
        )
    paths = [project_path(item) for item in session.me.get("projects", [])]
    if project not in paths:
        raise CliError(
            f"You have no role in a project {project!r}.",
            fields=[FieldError("project", "It is not one of yours.", ", ".join(paths))] if paths else [],
            exit_code=ExitCode.NOT_FOUND,
        )
    changed = tuple(
        replace(item, project=project) if item.name == stored.name else item for item in session.config.contexts
    )
    config_save(session.config_path, Config(current=session.config.current, contexts=changed))
    note(f"The default project is {project}.")
