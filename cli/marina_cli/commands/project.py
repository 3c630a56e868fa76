"""`marina project`: projects, asking to join one, deciding that."""

from __future__ import annotations

from typing import Any

import click

from marina_cli.commands.dry_run import deleted_tell, dry_run_option
from marina_cli.commands.sharing import ROLE_HELP
from marina_cli.completing import complete_projects
from marina_cli.errors import UsageProblem
from marina_cli.given import ceiling_option, number_or_none
from marina_cli.lookup import project_find
from marina_cli.output import Column, note, output_option, print_fields, print_list, print_one
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, project_path, word

PROJECTS = (
    Column("PROJECT", project_path),
    Column("CLUSTERS AT MOST", lambda item: word(item.get("cluster_limit"))),
    Column("DAYS AT MOST", lambda item: word(item.get("cluster_lifetime_days"))),
    Column("CEILING", lambda item: word(item.get("kubeconfig_ceiling"))),
    Column("DIRECT", lambda item: "yes" if item.get("direct_kubeconfigs") else "no", wide=True),
    Column("REQUEST AUDIT", lambda item: word(item.get("request_audit")), wide=True),
    Column("PERSONAL OF", lambda item: word(item.get("personal_of"))),
    Column("ID", lambda item: word(item.get("id")), wide=True),
)
REQUESTS = (
    Column("ID", lambda item: word(item.get("id"))),
    Column("WHO", lambda item: word(item.get("user"))),
    Column("PROJECT", lambda item: project_path(item.get("project"))),
    Column("STATE", lambda item: word(item.get("state"))),
    Column("MESSAGE", lambda item: word(item.get("message"))),
)


@click.group()
def project() -> None:
    """Projects: make one, ask to join one, decide who joins."""


@project.command("list")
@click.option("--joinable", is_flag=True, help="Those you are not in and may ask to join.")
@output_option
@pass_session
def project_list(session: Session, joinable: bool, form: str) -> None:
    """List your projects, or those you may ask to join."""
    items = list(session.api.pages("/projects/joinable" if joinable else "/projects"))
    empty = "There is none to ask for." if joinable else "You are in no project yet: marina project list --joinable."
    print_list(items, form, PROJECTS[:1] if joinable else PROJECTS, empty=empty)


@project.command("get")
@click.argument("path", metavar="ORG/NAME", shell_complete=complete_projects)
@output_option
@pass_session
def project_get(session: Session, path: str, form: str) -> None:
    """Show one project: its limits, and what its clusters' kubeconfigs may give."""
    print_one(project_find(session, path), form, _show)


@project.command("delete")
@click.argument("path", metavar="ORG/NAME", shell_complete=complete_projects)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@dry_run_option
@pass_session
def project_delete(session: Session, path: str, yes: bool, dry_run: bool) -> None:
    """Delete a project with its roles and service accounts. While it has virtual clusters, that is refused."""
    found = project_find(session, path)
    if not (yes or dry_run):
        click.confirm(f"Delete the project {path}? Its roles and service accounts end.", abort=True, err=True)
    session.api.change("DELETE", f"/projects/{found['id']}", dry_run=dry_run)
    deleted_tell(f"The project {path}", dry_run)


@project.command("create")
@click.argument("path", metavar="ORG/NAME")
@click.option("--display-name", default="", help="What people call it.")
@output_option
@pass_session
def project_create(session: Session, path: str, display_name: str, form: str) -> None:
    """Make a project; you become its admin. A member may make as many as the organization allows."""
    organization, slash, name = path.partition("/")
    if not slash:
        raise UsageProblem("Name it with its organization: ORG/NAME.")
    body = {"organization": organization, "name": name, **({"display_name": display_name} if display_name else {})}
    made = session.api.change("POST", "/projects", body, repeat=False)
    print_one(made, form, lambda item: click.echo(f"{project_path(item)} is there."))


@project.command("set")
@click.argument("path", metavar="ORG/NAME", shell_complete=complete_projects)
@click.option("--display-name", help="What people call it.")
@ceiling_option
@click.option(
    "--direct-kubeconfigs",
    type=click.Choice(["on", "off"]),
    help="Whether kubeconfigs that go past the gateway are given out; off ends those there are.",
)
@click.option(
    "--request-audit",
    type=click.Choice(["none", "writes", "all"]),
    help="Which requests to its clusters through the gateway are written down one by one.",
)
@click.option("--clusters", metavar="N|none", help="How many clusters it may have. For admins of the organization.")
@click.option("--lifetime-days", metavar="N|none", help="How long its clusters live. For admins of the organization.")
@output_option
@pass_session
def project_set(
    session: Session,
    path: str,
    display_name: str | None,
    kubeconfig_ceiling: str | None,
    direct_kubeconfigs: str | None,
    request_audit: str | None,
    clusters: str | None,
    lifetime_days: str | None,
    form: str,
) -> None:
    """Change a project: its ceiling for kubeconfigs, direct ones or not, what is written down, its limits."""
    body: dict[str, Any] = {
        "display_name": display_name,
        "kubeconfig_ceiling": kubeconfig_ceiling,
        "direct_kubeconfigs": None if direct_kubeconfigs is None else direct_kubeconfigs == "on",
        "request_audit": request_audit,
    }
    body = {key: value for key, value in body.items() if value is not None}
    for key, text in (("cluster_limit", clusters), ("cluster_lifetime_days", lifetime_days)):
        if text is not None:
            body[key] = number_or_none(text)
    if not body:
        raise UsageProblem("Nothing to change was given.", hint="See `marina project set --help`.")
    changed = session.api.change("PATCH", f"/projects/{project_find(session, path)['id']}", body)
    print_one(changed, form, lambda item: click.echo(f"{project_path(item)} was changed."))


@project.command("join")
@click.argument("path", metavar="ORG/NAME")
@click.option("--message", "-m", default="", help="What its admins read.")
@output_option
@pass_session
def project_join(session: Session, path: str, message: str, form: str) -> None:
    """Ask to join a project of your organization; its admins are told."""
    wanted = project_find(session, path, "/projects/joinable")
    body = {"message": message} if message else {}
    asked = session.api.change("POST", f"/projects/{wanted['id']}/join-requests", body, repeat=False)

    def people(item: Json) -> None:
        click.echo(f"The admins of {path} were told that you ask to join.")
        note("You are told when they decide; `marina project requests` shows it too.")

    print_one(asked, form, people, name="id")


@project.command("requests")
@click.option("--project", "-p", "path", metavar="ORG/NAME", shell_complete=complete_projects, help="Only of this one.")
@click.option("--all", "every", is_flag=True, help="Those that were decided, too.")
@output_option
@pass_session
def project_requests(session: Session, path: str | None, every: bool, form: str) -> None:
    """List requests to join: yours, and those for the projects you are admin of."""
    params = {"project": path, "state": None if every else "open"}
    items = list(session.api.pages("/join-requests", {key: value for key, value in params.items() if value}))
    print_list(items, form, REQUESTS, empty="There is no open request." if not every else "There is none.", name="id")


@project.command("accept")
@click.argument("request_id", metavar="REQUEST_ID")
@click.option("--role", metavar="ROLE", default="developer", show_default=True, help=ROLE_HELP)
@output_option
@pass_session
def project_accept(session: Session, request_id: str, role: str, form: str) -> None:
    """Take somebody into a project."""
    item = session.api.change("POST", f"/join-requests/{request_id}/accept", {"role": role}, repeat=False)
    print_one(item, form, lambda item: click.echo(f"{word(item.get('user'))} is {role} of {_where(item)}."), name="id")


@project.command("decline")
@click.argument("request_id", metavar="REQUEST_ID")
@output_option
@pass_session
def project_decline(session: Session, request_id: str, form: str) -> None:
    """Decline a request to join."""
    item = session.api.change("POST", f"/join-requests/{request_id}/decline", repeat=False)
    sentence = "The request of {} to join {} was declined."
    print_one(item, form, lambda item: click.echo(sentence.format(word(item.get("user")), _where(item))), name="id")


def _show(item: Json) -> None:
    click.echo(project_path(item))
    print_fields(
        [
            ("called", word(item.get("display_name"))),
            ("personal of", word(item.get("personal_of"))),
            ("clusters at most", word(item.get("cluster_limit"))),
            ("days they live at most", word(item.get("cluster_lifetime_days"))),
            ("kubeconfig ceiling", word(item.get("kubeconfig_ceiling"))),
            ("direct kubeconfigs", word(item.get("direct_kubeconfigs"))),
            ("request audit", word(item.get("request_audit"))),
            ("id", word(item.get("id"))),
        ]
    )


def _where(item: Json) -> str:
    return project_path(item.get("project"))
