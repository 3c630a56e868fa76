"""`marina invite`, `marina invitation`: links that give a role to who opens them."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

import click

from marina_cli.completing import complete_projects
from marina_cli.durations import DURATION, minute
from marina_cli.errors import UsageProblem
from marina_cli.output import Column, note, output_option, print_list, print_one
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, project_path, word

ROLE_HELP = "viewer, developer or admin; member, auditor or admin of an --organization; or one of its own."


def _where(item: Json) -> str:
    return project_path(item["project"]) if item.get("project") else word(item.get("organization"))


COLUMNS = (
    Column("ID", lambda item: word(item.get("id"))),
    Column("INTO", _where),
    Column("ROLE", lambda item: word(item.get("role"))),
    Column("EMAIL", lambda item: word(item.get("email"))),
    Column("MAIL", lambda item: word((item.get("mail") or {}).get("state"))),
    Column("STATE", lambda item: word(item.get("state"))),
    Column("UNTIL", lambda item: minute(item.get("expires_at"))),
    Column("BY", lambda item: word(item.get("created_by"))),
    Column("USED BY", lambda item: word(item.get("used_by"))),
)


@click.command("invite")
@click.option("--project", "-p", metavar="ORG/NAME", shell_complete=complete_projects, help="Into this project.")
@click.option("--organization", metavar="ORG", help="Into this organization.")
@click.option("--role", metavar="ROLE", required=True, help=ROLE_HELP)
@click.option("--email", help="Only somebody with this address may accept.")
@click.option("--for", "expires_in", type=DURATION, default=None, help="How long the link is good; 7d unless given.")
@output_option
@pass_session
def invite(
    session: Session,
    project: str | None,
    organization: str | None,
    role: str,
    email: str | None,
    expires_in: int | None,
    form: str,
) -> None:
    """Make a link that gives a role to the first person who opens it. It is shown once."""
    if bool(project) == bool(organization):
        raise UsageProblem("Say into which project or organization: --project ORG/NAME, or --organization ORG.")
    body = {"project": project, "organization": organization, "role": role, "email": email, "expires_in": expires_in}
    made = session.api.change(
        "POST", "/invitations", {key: value for key, value in body.items() if value is not None}, repeat=False
    )

    print_one(made, form, _made, name="link")


def _made(item: Json) -> None:
    """The link for pipes, and what there is to know of it beside."""
    click.echo(word(item.get("link")))
    role, until = word(item.get("role")), minute(item.get("expires_at"))
    note(f"It makes one person {role} of {_where(item)}, until {until}. {_mail_said(item)}")
    note(f"Take it back with `marina invitation revoke {word(item.get('id'))}`.")


def _mail_said(item: Json) -> str:
    mail = item.get("mail")
    if not mail:
        return "Send it to them."
    if mail.get("state") == "pending":
        return f"It is being mailed to {word(item.get('email'))}; `marina invitation list` shows what came of it."
    return f"It was not mailed. {word(mail.get('error'))}"


@click.group()
def invitation() -> None:
    """Invitations that were made, and accepting one."""


@invitation.command("list")
@output_option
@pass_session
def invitation_list(session: Session, form: str) -> None:
    """List invitations into what you may give roles in."""
    print_list(list(session.api.pages("/invitations")), form, COLUMNS, empty="Nobody was invited.", name="id")


@invitation.command("get")
@click.argument("invitation_id", metavar="ID")
@output_option
@pass_session
def invitation_get(session: Session, invitation_id: str, form: str) -> None:
    """Show an invitation, and what became of its mail."""
    item = session.api.get(f"/invitations/{invitation_id}")

    def people(item: Json) -> None:
        for column in COLUMNS:
            click.echo(f"{column.heading:<8} {column.cell(item)}")
        if error := (item.get("mail") or {}).get("error"):
            click.echo(f"{'':<8} {word(error)}")

    print_one(item, form, people, name="id")


@invitation.command("resend")
@click.argument("invitation_id", metavar="ID")
@click.option("--for", "expires_in", type=DURATION, default=None, help="How long the link is good; 7d unless given.")
@output_option
@pass_session
def invitation_resend(session: Session, invitation_id: str, expires_in: int | None, form: str) -> None:
    """Make a new link for an invitation, and mail it where it has an address. The link before is void."""
    body = {} if expires_in is None else {"expires_in": expires_in}
    made = session.api.change("POST", f"/invitations/{invitation_id}/resend", body, repeat=False)
    print_one(made, form, _made, name="link")


@invitation.command("revoke")
@click.argument("invitation_id", metavar="ID")
@pass_session
def invitation_revoke(session: Session, invitation_id: str) -> None:
    """Take an invitation back."""
    session.api.change("DELETE", f"/invitations/{invitation_id}")
    click.echo("The invitation is good for nothing any more.")


@invitation.command("accept")
@click.argument("link")
@output_option
@pass_session
def invitation_accept(session: Session, link: str, form: str) -> None:
    """Accept the invitation of LINK (`-` reads it from standard input)."""
    text = sys.stdin.readline() if link == "-" else link
    token = urlsplit(text.strip()).path.rstrip("/").rpartition("/")[2]
    item = session.api.change("POST", "/invitations/accept", {"token": token}, repeat=False)
    print_one(item, form, lambda item: click.echo(f"You are {word(item.get('role'))} of {_where(item)}."), name="id")
