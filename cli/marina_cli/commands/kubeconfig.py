"""`marina kubeconfig`."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

import click

from marina_cli.completing import complete_clusters
from marina_cli.direct_kubeconfig import direct_kubeconfig
from marina_cli.durations import DURATION, span, time_parse
from marina_cli.errors import UsageProblem
from marina_cli.gateway_kubeconfig import exec_kubeconfig, static_kubeconfig
from marina_cli.kubeconfig_file import address_check, kubeconfig_check, kubeconfig_merge, kubeconfig_target
from marina_cli.lookup import cluster_find, service_account_find
from marina_cli.output import note
from marina_cli.private_file import private_file_write
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json, word

RENEWED = "Its tokens are got by `marina credential` as long as your role and your login hold."


@dataclass(frozen=True)
class Wanted:
    """What was asked for on the command line."""

    level: str | None
    expires_in: int | None
    server: str | None
    static: bool
    direct: bool
    token_name: str | None
    service_account: str | None


@click.command()
@click.argument("name", shell_complete=complete_clusters)
@project_option
@click.option("--level", type=click.Choice(["view", "admin"]), help="What it may do; the most you may unless given.")
@click.option("--static", is_flag=True, help="It holds a token itself: for tools that cannot run `marina`.")
@click.option("--direct", is_flag=True, help="Go past the gateway, where the project allows that.")
@click.option("--expires-in", type=DURATION, help="With --static (30d unless given) or --direct (1h): how long.")
@click.option("--token-name", metavar="TEXT", help="With --static: what uses it, for whoever sees the list.")
@click.option("--service-account", metavar="NAME", help="With --static: a token of this service account.")
@click.option("--server", metavar="URL", help="Reach the gateway (with --direct: the cluster) at this address instead.")
@click.option("--output", "file", type=click.Path(dir_okay=False), metavar="FILE", help="Write it to FILE.")
@click.option("--merge", is_flag=True, help="Merge it into $KUBECONFIG or ~/.kube/config.")
@click.option("--context-name", metavar="N", help="With --merge: the context's name instead of marina-NAME.")
@pass_session
def kubeconfig(
    session: Session,
    name: str,
    project: str | None,
    level: str | None,
    static: bool,
    direct: bool,
    expires_in: int | None,
    token_name: str | None,
    service_account: str | None,
    server: str | None,
    file: str | None,
    merge: bool,
    context_name: str | None,
) -> None:
    """Print a kubeconfig for the virtual cluster NAME, write it or merge it.

    It goes through the gateway and holds no secret: kubectl runs `marina credential` whenever it needs a token.
    """
    asked = Wanted(level, expires_in, server, static, direct, token_name, service_account)
    if file and merge:
        raise UsageProblem("Give either --output or --merge.")
    _wanted_check(asked)
    _target_check(session, file, merge)
    item = cluster_find(session, name, project)
    text, valid = _text(session, item, asked)
    if merge:
        context = context_name or f"marina-{item['name']}"
        path = kubeconfig_target(session.environment)
        kubeconfig_merge(path, text, name=context)
        note(f"{path} has the context {context}. Use it: kubectl --context {context} get namespaces\n{valid}")
    elif file and file != "-":
        private_file_write(Path(file), text)
        note(f"Written to {file}, readable by you only. Use it: kubectl --kubeconfig {file} get namespaces\n{valid}")
    else:
        click.echo(text, nl=not text.endswith("\n"))


def _wanted_check(asked: Wanted) -> None:
    if asked.static and asked.direct:
        raise UsageProblem("Give either --static or --direct.")
    if asked.expires_in is not None and not (asked.static or asked.direct):
        raise UsageProblem(
            "This kubeconfig holds nothing that could expire: its tokens are renewed.",
            hint="Leave --expires-in out, or use --static for one that holds a token.",
        )
    if (asked.token_name or asked.service_account) and not asked.static:
        raise UsageProblem("--token-name and --service-account belong to --static.")
    if asked.server:
        address_check(asked.server)


def _target_check(session: Session, file: str | None, merge: bool) -> None:
    """Before a token exists: what would be found out only when there is nowhere to put it."""
    if merge:
        kubeconfig_check(kubeconfig_target(session.environment))
    elif file and file != "-" and not Path(file).expanduser().parent.is_dir():
        raise UsageProblem(f"There is no folder {Path(file).parent}.", hint="Make it first, or name another file.")


def _text(session: Session, item: Json, asked: Wanted) -> tuple[str, str]:
    """The kubeconfig, and a sentence on how long it holds."""
    if asked.direct:
        text = direct_kubeconfig(session, item, level=asked.level, expires_in=asked.expires_in, server=asked.server)
        held = f"It holds for {span(asked.expires_in)}." if asked.expires_in else ""
        return text, held or "When it has expired, run the same command again."
    if asked.static:
        text, made = static_kubeconfig(session, item, _static_body(session, asked), server=asked.server)
        return text, _static_told(item, made)
    return exec_kubeconfig(session, item, level=asked.level, server=asked.server), RENEWED


def _static_body(session: Session, asked: Wanted) -> Json:
    given = {"level": asked.level, "expires_in": asked.expires_in}
    body: Json = {key: value for key, value in given.items() if value is not None}
    body["name"] = asked.token_name or f"kubeconfig on {socket.gethostname()}"[:100]
    if asked.service_account:
        body["service_account"] = service_account_find(session, asked.service_account)["id"]
    return body


def _static_told(item: Json, made: Json) -> str:
    ends = time_parse(made.get("expires_at"))
    until = f" until {ends.astimezone():%Y-%m-%d %H:%M}" if ends else ""
    return (
        f"It holds the token mgs_{word(made.get('prefix'))}{until}. End it with "
        f"`marina static-kubeconfig revoke {word(item.get('name'))} {word(made.get('prefix'))}`."
    )
