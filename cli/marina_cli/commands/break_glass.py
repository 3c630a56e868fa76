"""`marina break-glass`: platform staff in one tenant's cluster, for a while and with a reason."""

from __future__ import annotations

import click

from marina_cli.durations import DURATION, minute
from marina_cli.errors import CliError, ExitCode, UsageProblem
from marina_cli.lookup import is_id
from marina_cli.output import note, output_option, print_one
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, word


@click.command("break-glass")
@click.argument("cluster_id", metavar="CLUSTER_ID")
@click.option("--reason", help="Why; the cluster's owner reads it. At least 10 characters.")
@click.option("--for", "seconds", type=DURATION, default="30m", show_default=True, help="For how long; 1h at most.")
@click.option(
    "--role", type=click.Choice(["viewer", "developer"]), default="viewer", show_default=True, help="What you may do."
)
@click.option("--end", is_flag=True, help="End it early instead, for everybody who is in the cluster this way.")
@output_option
@pass_session
def break_glass(
    session: Session, cluster_id: str, reason: str | None, seconds: int, role: str, end: bool, form: str
) -> None:
    """Get into one tenant's cluster as platform staff, or end that.

    The cluster's owner and the admins of its project are told at once, the cluster shows it, and each of your requests
    that reaches it stands in the audit log.
    """
    if not is_id(cluster_id):
        raise UsageProblem("Name the cluster by its id.", hint="The admin site shows it.")
    path = f"/virtual-clusters/{cluster_id}"
    if end:
        _end(session, f"{path}/break-glass")
        return
    if not reason:
        raise UsageProblem("Say why.", hint='Use --reason "TICKET: what is wrong".')
    body = {"reason": reason, "minutes": -(-seconds // 60), "role": role}
    made = session.api.change("POST", f"{path}/break-glass", body, repeat=False)

    def people(item: Json) -> None:
        click.echo(f"You are {word(item.get('role'))} of the cluster until {minute(item.get('until'))}.")
        note(f"Its owner was told. End it early: marina break-glass {cluster_id} --end")

    print_one(made, form, people, name="id")


def _end(session: Session, path: str) -> None:
    grants = list(session.api.pages(path))
    if not grants:
        raise CliError("Nobody is in this cluster by broken glass.", exit_code=ExitCode.NOT_FOUND)
    for grant in grants:
        session.api.change("DELETE", f"{path}/{grant['id']}")
        click.echo(f"{word(grant.get('who'))} is out of the cluster.")
