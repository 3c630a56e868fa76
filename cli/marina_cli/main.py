"""The `marina` command, also as `kubectl marina`."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import click

from marina_cli import __version__
from marina_cli.commands.options import COMPLETE_VARIABLE
from marina_cli.contents import SECTIONS
from marina_cli.errors import CliError
from marina_cli.session import Session


class MarinaGroup(click.Group):
    """The root: commands in the order in which people need them, and no traceback whatever happens."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """As they were added, not by the alphabet."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """By what they are about, each on a line."""
        for section in SECTIONS:
            with formatter.section(section.title):
                formatter.write_dl([(str(command.name), told) for command, told in section.commands.items()])

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


for section in SECTIONS:
    for command in section.commands:
        cli.add_command(command)


def main() -> None:
    """Run as the program it was called as; ends the process."""
    called = Path(sys.argv[0]).name
    cli(prog_name="kubectl marina" if called == "kubectl-marina" else "marina", complete_var=COMPLETE_VARIABLE)
