"""`marina kubeconfigs`: who has a direct one."""

from __future__ import annotations

import click

from marina_cli.completing import complete_clusters
from marina_cli.durations import time_parse
from marina_cli.lookup import cluster_find
from marina_cli.output import Column, note, output_option, print_list
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json, word


def _until(item: Json) -> str:
    moment = time_parse(item.get("expires_at"))
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else "-"


COLUMNS = (
    Column("WHO", lambda item: word(item.get("user"))),
    Column("LEVEL", lambda item: word(item.get("level"))),
    Column("UNTIL", _until),
    Column("STATE", lambda item: "being ended" if item.get("ending") else "holds"),
    Column("ID", lambda item: word(item.get("id")), wide=True),
)


@click.command()
@click.argument("name", shell_complete=complete_clusters)
@project_option
@output_option
@pass_session
def kubeconfigs(session: Session, name: str, project: str | None, form: str) -> None:
    """List who has a direct kubeconfig of a virtual cluster, at which level and until when.

    Those that hold a token for the gateway are listed by `marina static-kubeconfig list`; the others hold none.
    """
    cluster = cluster_find(session, name, project)
    items = list(session.api.pages(f"/virtual-clusters/{cluster['id']}/kubeconfigs"))
    print_list(items, form, COLUMNS, empty=f"Nobody has a direct kubeconfig of {word(cluster.get('name'))} that holds.")
    if form in ("table", "wide"):
        for sentence in dict.fromkeys(str(item["note"]) for item in items if item.get("note")):
            note(f"Being ended: {sentence}")
