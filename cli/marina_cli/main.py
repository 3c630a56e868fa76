"""The `marina` command, also as `kubectl marina`."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import click

from marina_cli import __version__
from marina_cli.commands.audit import audit
from marina_cli.commands.break_glass import break_glass
from marina_cli.commands.cleanup import cleanup, extend
from marina_cli.commands.clusters import cluster_get, cluster_list, cluster_protect, cluster_unprotect
from marina_cli.commands.configure import configure
from marina_cli.commands.contexts import context, use_project
from marina_cli.commands.create import create
from marina_cli.commands.credential import credential
from marina_cli.commands.delete import cluster_delete
from marina_cli.commands.discovered import discovered
from marina_cli.commands.export import export
from marina_cli.commands.federation import federation
from marina_cli.commands.group_mapping import group_mapping
from marina_cli.commands.host import host
from marina_cli.commands.idle import idle
from marina_cli.commands.inbox import inbox
from marina_cli.commands.invitations import invitation, invite
from marina_cli.commands.kubeconfig import kubeconfig
from marina_cli.commands.kubeconfigs import kubeconfigs
from marina_cli.commands.login import login, logout, whoami
from marina_cli.commands.maintenance import maintenance
from marina_cli.commands.member import member
from marina_cli.commands.migrate import migrate
from marina_cli.commands.op import op
from marina_cli.commands.options import COMPLETE_VARIABLE, completion, options
from marina_cli.commands.organization import organization
from marina_cli.commands.policy import policy
from marina_cli.commands.project import project
from marina_cli.commands.requests import requests, uses
from marina_cli.commands.restore import restore
from marina_cli.commands.role import role
from marina_cli.commands.rollout import rollout
from marina_cli.commands.schedule import schedule
from marina_cli.commands.second_factor import second_factor
from marina_cli.commands.service_account import service_account
from marina_cli.commands.sessions import session_group
from marina_cli.commands.sharing import share, shares, unshare
from marina_cli.commands.sleeping import cluster_sleep, cluster_wake
from marina_cli.commands.static_kubeconfig import static_kubeconfig
from marina_cli.commands.team import team
from marina_cli.commands.token import token
from marina_cli.commands.transfer import ceiling, transfer
from marina_cli.commands.upgrade import upgrade
from marina_cli.commands.user import user
from marina_cli.commands.webhook import webhook
from marina_cli.errors import CliError
from marina_cli.session import Session


class MarinaGroup(click.Group):
    """The root: commands in the order in which people need them, and no traceback whatever happens."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """As they were added, not by the alphabet."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error nobody thought of becomes a sentence too."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            closed_pipe = isinstance(error, OSError) and error.errno == errno.EPIPE
            if closed_pipe or os.environ.get("MARINA_DEBUG"):
                raise
            raise CliError(
                f"The marina command met something it does not understand ({type(error).__name__}: {error}).",
                hint="Is it as new as the server? MARINA_DEBUG=1 shows where it happened.",
            ) from None


EXIT_CODES = (
    "Exit codes: 0 done, 1 failed or refused, 2 wrong command line or file, 3 not logged in, 4 not found, "
    "5 conflict, 6 server not reachable, 7 waited too long, 130 stopped by Ctrl-C."
)


@click.group(
    cls=MarinaGroup,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--context", metavar="NAME", envvar="MARINA_CONTEXT", help="Use this stored server instead of the current."
)
@click.option("--ca-file", type=click.Path(), help="Trust this CA (PEM); SSL_CERT_FILE works too.")
@click.option("--insecure-http", is_flag=True, help="Allow plain http to another machine.")
@click.version_option(__version__, prog_name="marina", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, context: str | None, ca_file: str | None, insecure_http: bool) -> None:
    """Virtual Kubernetes clusters on demand.

    Log in with `marina login SERVER`, then `marina create NAME --wait` and `marina kubeconfig NAME --merge`.
    """
    session = ctx.ensure_object(Session)
    session.context_name = context or ""
    session.ca_file = ca_file or ""
    session.insecure_http = insecure_http


for command in (
    *(login, logout, whoami, use_project, context),
    *(create, cluster_list, cluster_get, kubeconfig, configure, cluster_delete, cluster_protect, cluster_unprotect),
    *(cluster_sleep, cluster_wake, upgrade, idle, export, restore, migrate),
    *(schedule, policy, extend, cleanup, maintenance, rollout),
    *(share, shares, unshare, transfer, ceiling),
    *(project, member, team, invite, invitation, organization, role, user),
    *(audit, requests, uses, inbox, webhook, group_mapping, break_glass),
    *(kubeconfigs, static_kubeconfig, credential, token, service_account, federation),
    *(session_group, second_factor),
    *(op, options, host, discovered, completion),
):
    cli.add_command(command)


def main() -> None:
    """Run as the program it was called as; ends the process."""
    called = Path(sys.argv[0]).name
    cli(prog_name="kubectl marina" if called == "kubectl-marina" else "marina", complete_var=COMPLETE_VARIABLE)
