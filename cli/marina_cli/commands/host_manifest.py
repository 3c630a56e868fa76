"""`marina host manifest`: the permissions that Marina needs on a host, as its administrator applies them."""

from __future__ import annotations

import click

from marina_cli.completing import complete_hosts
from marina_cli.lookup import host_find
from marina_cli.session import Session, pass_session
from marina_cli.text import Json


@click.command("manifest")
@click.argument("name", required=False, shell_complete=complete_hosts)
@click.option("--mode", type=click.Choice(["cluster", "namespaces"]), help="Of a host that is still to be connected.")
@click.option("--namespace", "namespaces", metavar="NS", multiple=True, help="With --mode namespaces; repeat it.")
@click.option("--long-lived", is_flag=True, help="With a Secret for a token that does not expire.")
@click.option(
    "--ingress-metrics",
    "traffic",
    metavar="NAMESPACE/SERVICE:PORT",
    help="With the right to read there how many requests came.",
)
@pass_session
def host_manifest(
    session: Session, name: str | None, mode: str | None, namespaces: tuple[str, ...], long_lived: bool, traffic: str
) -> None:
    """Print what Marina needs on a host, for `kubectl apply -f -`: as the host NAME is, or as the options say."""
    item = _of_host(session, name) if name else {}
    params: Json = {
        "mode": mode or item.get("mode"),
        "namespaces": ",".join(namespaces or item.get("namespaces") or ()),
        "long_lived": "true" if long_lived else "",
        "traffic": traffic or (item.get("ingress_metrics") or {}).get("service"),
    }
    given = {key: value for key, value in params.items() if value}
    click.echo(session.api.text("/host-clusters/manifest", given), nl=False)


def _of_host(session: Session, name: str) -> Json:
    found: Json = session.api.get(f"/host-clusters/{host_find(session.api, name)['id']}")
    return found
