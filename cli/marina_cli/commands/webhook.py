"""`marina webhook`: addresses of yours that are told what happens."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from marina_cli.commands.webhook_views import columns, delivery_columns, delivery_say, webhook_show
from marina_cli.completing import complete_projects
from marina_cli.durations import DURATION
from marina_cli.errors import CliError, ExitCode, UsageProblem
from marina_cli.output import note, output_option, print_list, print_one
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, word

POLL_SECONDS = 0.5


@click.group()
def webhook() -> None:
    """Webhooks: addresses that are told of events, signed by the Standard Webhooks convention."""


def scope_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options `--organization` and `--project`."""
    for option in (
        click.option("--project", "-p", metavar="ORG/NAME", shell_complete=complete_projects, help="Of this project."),
        click.option("--organization", metavar="ORG", help="Of this organization."),
    ):
        function = option(function)
    return function


@webhook.command("create")
@click.argument("url")
@scope_options
@click.option("--event", "events", multiple=True, metavar="TYPE", help="What it is told of; everything unless given.")
@click.option("--description", default="", help="What it is for.")
@output_option
@pass_session
def webhook_create(
    session: Session,
    url: str,
    organization: str | None,
    project: str | None,
    events: tuple[str, ...],
    description: str,
    form: str,
) -> None:
    """Have URL told of what happens in an organization, or in one project.

    The secret by which the receiver knows that it was Marina is shown this once.
    """
    if (organization is None) == (project is None):
        raise UsageProblem("Say what it is for.", hint="Give either --organization ORG or --project ORG/NAME.")
    body: Json = {"url": url, "events": list(events) or ["*"], "description": description}
    body |= {"organization": organization} if organization else {"project": project}
    made = session.api.change("POST", "/webhooks", body, repeat=False)
    print_one(made, form, _made_say, name="id")


def _made_say(item: Json) -> None:
    click.echo(word(item.get("secret")))
    note(
        f"Webhook {word(item.get('id'))} is made. Above is its secret, shown this once.\n"
        f"Try it with `marina webhook ping {word(item.get('id'))}`."
    )


@webhook.command("list")
@scope_options
@output_option
@pass_session
def webhook_list(session: Session, organization: str | None, project: str | None, form: str) -> None:
    """List the webhooks of organizations and projects that you may change."""
    params = {"organization": organization, "project": project}
    chosen = {key: value for key, value in params.items() if value}
    items = list(session.api.pages("/webhooks", chosen))
    empty = "There is no webhook that you may see. Make one with `marina webhook create URL`."
    print_list(items, form, columns(session.clock.now()), empty=empty, name="id")


@webhook.command("get")
@click.argument("id", metavar="ID")
@output_option
@pass_session
def webhook_get(session: Session, id: str, form: str) -> None:  # noqa: A002
    """Show one webhook."""
    print_one(session.api.get(f"/webhooks/{id}"), form, webhook_show, name="id")


@webhook.command("update")
@click.argument("id", metavar="ID")
@click.option("--url", help="Another address.")
@click.option("--event", "events", multiple=True, metavar="TYPE", help="What it is told of instead. Again for more.")
@click.option("--description", help="What it is for.")
@output_option
@pass_session
def webhook_update(
    session: Session,
    id: str,  # noqa: A002
    url: str | None,
    events: tuple[str, ...],
    description: str | None,
    form: str,
) -> None:
    """Change a webhook; what is not given stays."""
    body: Json = {"url": url, "events": list(events) or None, "description": description}
    _change(session, id, {key: value for key, value in body.items() if value is not None}, "is changed", form)


@webhook.command("enable")
@click.argument("id", metavar="ID")
@output_option
@pass_session
def webhook_enable(session: Session, id: str, form: str) -> None:  # noqa: A002
    """Switch a webhook on again."""
    _change(session, id, {"enabled": True}, "is on", form)


@webhook.command("disable")
@click.argument("id", metavar="ID")
@output_option
@pass_session
def webhook_disable(session: Session, id: str, form: str) -> None:  # noqa: A002
    """Switch a webhook off; events from then on are not kept for it."""
    _change(session, id, {"enabled": False}, "is off", form)


def _change(session: Session, id: str, body: Json, what: str, form: str) -> None:  # noqa: A002
    item = session.api.change("PATCH", f"/webhooks/{id}", body)
    print_one(item, form, lambda item: click.echo(f"Webhook {word(item.get('id'))} {what}."), name="id")


@webhook.command("delete")
@click.argument("id", metavar="ID")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@pass_session
def webhook_delete(session: Session, id: str, yes: bool) -> None:  # noqa: A002
    """Delete a webhook with its deliveries."""
    if not yes and sys.stdin.isatty():
        item = session.api.get(f"/webhooks/{id}")
        if not click.confirm(f"Delete the webhook to {word(item.get('url'))}?", err=True):
            raise click.Abort
    session.api.change("DELETE", f"/webhooks/{id}")
    click.echo(f"Webhook {word(id)} is deleted.")


@webhook.command("rotate-secret")
@click.argument("id", metavar="ID")
@output_option
@pass_session
def webhook_rotate_secret(session: Session, id: str, form: str) -> None:  # noqa: A002
    """Give a webhook a new secret, shown this once; the one before signs as well for 24 hours."""
    made = session.api.change("POST", f"/webhooks/{id}/rotate-secret", repeat=False)

    def people(item: Json) -> None:
        click.echo(word(item.get("secret")))
        until = word(item.get("previous_until"))
        note(f"Above is the new secret, shown this once. The old one signs as well until {until}.")

    print_one(made, form, people, name="id")


@webhook.command("ping")
@click.argument("id", metavar="ID")
@click.option(
    "--timeout", type=DURATION, default="30s", show_default=True, help="How long to wait for what comes of it."
)
@output_option
@pass_session
def webhook_ping(session: Session, id: str, timeout: int, form: str) -> None:  # noqa: A002
    """Send a webhook an event that says nothing, and tell what came of it."""
    _await(session, id, session.api.change("POST", f"/webhooks/{id}/ping", repeat=False), timeout, form)


@webhook.command("deliveries")
@click.argument("id", metavar="ID")
@click.option("--state", type=click.Choice(["Pending", "Delivered", "Failed"]), help="Only those in this state.")
@click.option("--type", "event_type", metavar="TYPE", help="Only events of this type.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many.")
@output_option
@pass_session
def webhook_deliveries(
    session: Session,
    id: str,  # noqa: A002
    state: str | None,
    event_type: str | None,
    limit: int,
    form: str,
) -> None:
    """List what a webhook was told, newest first."""
    params = {key: value for key, value in (("state", state), ("type", event_type)) if value}
    items = list(session.api.pages(f"/webhooks/{id}/deliveries", params, limit=limit))
    print_list(items, form, delivery_columns(session.clock.now()), empty="It was told nothing yet.", name="id")


@webhook.command("redeliver")
@click.argument("id", metavar="ID")
@click.argument("delivery", metavar="DELIVERY")
@click.option(
    "--timeout", type=DURATION, default="30s", show_default=True, help="How long to wait for what comes of it."
)
@output_option
@pass_session
def webhook_redeliver(session: Session, id: str, delivery: str, timeout: int, form: str) -> None:  # noqa: A002
    """Send an event once more, under the same id, and tell what came of it."""
    sent = session.api.change("POST", f"/webhooks/{id}/deliveries/{delivery}/redeliver")
    _await(session, id, sent, timeout, form)


def _await(session: Session, id: str, sent: Json, timeout: int, form: str) -> None:  # noqa: A002
    """Until it was tried once more than when it was sent; exit code 1 where that failed, 7 where it took too long."""
    until = session.clock.monotonic() + timeout
    item = sent
    while item.get("state") == "Pending" and item.get("attempts") == sent.get("attempts"):
        if session.clock.monotonic() >= until:
            raise CliError(
                "It was not tried in time.",
                hint=f"Look again with `marina webhook deliveries {id}`.",
                exit_code=ExitCode.TIMED_OUT,
            )
        session.clock.sleep(POLL_SECONDS)
        item = session.api.get(f"/webhooks/{id}/deliveries/{sent['id']}")
    print_one(item, form, delivery_say, name="id")
    if item.get("state") != "Delivered":
        raise click.exceptions.Exit(ExitCode.REFUSED)
