"""`marina static-kubeconfig`: the tokens of `marina kubeconfig --static`: listed, replaced, ended."""

from __future__ import annotations

import re
from pathlib import Path

import click

from marina_cli.completing import complete_clusters
from marina_cli.durations import DURATION, minute
from marina_cli.errors import CliError, ExitCode, UsageProblem
from marina_cli.gateway_kubeconfig import static_written
from marina_cli.kubeconfig_file import address_check
from marina_cli.lookup import cluster_find, is_id
from marina_cli.output import Column, note, output_option, print_list
from marina_cli.private_file import private_file_write
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json, word

_PREFIX = re.compile(r"(?:mgs_)?([a-z0-9]{8})(?:_.*)?")


COLUMNS = (
    Column("PREFIX", lambda item: f"mgs_{word(item.get('prefix'))}"),
    Column("WHO", lambda item: word(item.get("user"))),
    Column("LEVEL", lambda item: word(item.get("level"))),
    Column("NAME", lambda item: word(item.get("name"))),
    Column("UNTIL", lambda item: minute(item.get("expires_at"))),
    Column("LAST USED", lambda item: minute(item.get("last_used_at"))),
    Column("ID", lambda item: word(item.get("id")), wide=True),
)


@click.group("static-kubeconfig")
def static_kubeconfig() -> None:
    """Kubeconfigs that hold a token themselves (`marina kubeconfig --static`)."""


@static_kubeconfig.command("list")
@click.argument("name", shell_complete=complete_clusters)
@project_option
@output_option
@pass_session
def static_list(session: Session, name: str, project: str | None, form: str) -> None:
    """List those of the virtual cluster NAME: yours, your service accounts', and to admins everybody's."""
    items = list(session.api.pages(_path(cluster_find(session, name, project))))
    print_list(items, form, COLUMNS, empty=f"{name} has no static kubeconfig that you have to do with.", name="prefix")


@static_kubeconfig.command("rotate")
@click.argument("name", shell_complete=complete_clusters)
@click.argument("which")
@project_option
@click.option("--expires-in", type=DURATION, help="How long the new one holds; as long as the old one unless given.")
@click.option("--overlap", type=DURATION, help="So long the old one still holds (7d at most); it ends now otherwise.")
@click.option("--server", metavar="URL", help="Reach the gateway at this address instead.")
@click.option("--output", "file", type=click.Path(dir_okay=False), metavar="FILE", help="Write it to FILE.")
@pass_session
def static_rotate(
    session: Session,
    name: str,
    which: str,
    project: str | None,
    expires_in: int | None,
    overlap: int | None,
    server: str | None,
    file: str | None,
) -> None:
    """Make a new kubeconfig in the place of WHICH (id, prefix or name) and print it or write it."""
    if server:
        address_check(server)
    path = _path(cluster_find(session, name, project))
    old = _found(session, path, which)
    body = {"expires_in": expires_in, "overlap": overlap}
    given = {key: value for key, value in body.items() if value is not None}
    made = session.api.change("POST", f"{path}/{old['id']}/rotate", given, repeat=False)
    text = static_written(made, server)
    if file and file != "-":
        private_file_write(Path(file), text)
        note(f"Written to {file}, readable by you only.")
    else:
        click.echo(text, nl=not text.endswith("\n"))
    note(f"mgs_{word(made.get('prefix'))} takes the place of mgs_{word(old.get('prefix'))}.")


@static_kubeconfig.command("revoke")
@click.argument("name", shell_complete=complete_clusters)
@click.argument("which")
@project_option
@pass_session
def static_revoke(session: Session, name: str, which: str, project: str | None) -> None:
    """End WHICH (id, prefix or name) at once: connections through it are closed within seconds."""
    path = _path(cluster_find(session, name, project))
    found = _found(session, path, which)
    session.api.change("DELETE", f"{path}/{found['id']}")
    note(f"Revoked {word(found.get('name'))} (mgs_{word(found.get('prefix'))}).")


@static_kubeconfig.command("end")
@click.argument("prefix")
@pass_session
def static_end(session: Session, prefix: str) -> None:
    """End whosever token has this PREFIX, as logs and audit rows name it. For platform staff."""
    session.api.change("POST", "/gateway-tokens/revoke", {"prefix": prefix[:20]})
    note(f"Revoked mgs_{prefix.removeprefix('mgs_')[:8]}.")


def _path(cluster: Json) -> str:
    return f"/virtual-clusters/{cluster['id']}/gateway-tokens"


def _found(session: Session, path: str, which: str) -> Json:
    found = [item for item in session.api.pages(path) if _is(item, which)]
    if len(found) > 1:
        raise UsageProblem(
            f"{len(found)} static kubeconfigs are called {word(which)!r}.",
            hint=f"Name one by its id: {'; '.join(_candidate(item) for item in found)}.",
        )
    if found:
        return found[0]
    raise CliError(
        f"There is no static kubeconfig {word(which)!r}.",
        hint="See what there is with `marina static-kubeconfig list`.",
        exit_code=ExitCode.NOT_FOUND,
    )


def _candidate(item: Json) -> str:
    until = minute(item.get("expires_at"))
    return f"{word(item.get('id'))} (mgs_{word(item.get('prefix'))} of {word(item.get('user'))}, until {until})"


def _is(item: Json, which: str) -> bool:
    prefix = _PREFIX.fullmatch(which)
    by_id = is_id(which) and item.get("id") == which.lower()
    return by_id or item.get("name") == which or (prefix is not None and item.get("prefix") == prefix[1])
