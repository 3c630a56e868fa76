"""`marina host connect` and `renew`: giving Marina a credential for a host cluster."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import click

from marina_cli.commands.dry_run import dry_run_check, dry_run_option, dry_run_tell
from marina_cli.commands.host_offer import offered_sentence
from marina_cli.commands.waiting import operation_await, wait_options, watch_command
from marina_cli.completing import complete_hosts
from marina_cli.durations import DURATION
from marina_cli.errors import FieldError, UsageProblem
from marina_cli.given import labels_parse, offers_parse, values_read
from marina_cli.host_credential import credential_render, manifest_account
from marina_cli.kubectl import Kubectl
from marina_cli.lookup import host_find
from marina_cli.output import note, output_option, print_one
from marina_cli.private_file import text_file_read
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, word


@dataclass(frozen=True)
class Road:
    """How Marina gets to the host: a kubeconfig file (a), or a context of this machine's kubectl (b)."""

    kubeconfig: str | None
    context: str | None
    long_lived: bool
    token_expires_in: int
    server: str | None
    yes: bool


def road_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how Marina gets to the host, handed on as one `road`."""
    options = (
        click.option("--kubeconfig", metavar="FILE", help="Send this kubeconfig; it must hold the credential itself."),
        click.option("--context", metavar="C", help="Use this context of your own kubectl to make a credential."),
        click.option("--long-lived", is_flag=True, help="With --context: a token Secret instead of a token."),
        click.option(
            "--token-expires-in", type=DURATION, default="24h", show_default=True, help="With --context: ask for it."
        ),
        click.option("--server", metavar="URL", help="With --context: the address under which Marina reaches it."),
        click.option("--yes", "-y", is_flag=True, help="Apply the manifest without asking."),
    )
    function = _packed(function)
    for option in reversed(options):
        function = option(function)
    return function


def _packed(function: Callable[..., Any]) -> Callable[..., Any]:
    names = [field.name for field in fields(Road)]

    @functools.wraps(function)
    def call(*args: Any, **given: Any) -> Any:
        return function(*args, road=Road(**{name: given.pop(name) for name in names}), **given)

    return call


def credential_make(session: Session, road: Road, mode: str, namespaces: tuple[str, ...]) -> str:
    """The kubeconfig text that goes to the server."""
    if bool(road.kubeconfig) == bool(road.context):
        raise UsageProblem(
            "Say how Marina gets to the host: --kubeconfig FILE or --context CONTEXT.",
            hint="Use --context where the kubeconfig logs in with a plugin, as with EKS, GKE and AKS.",
        )
    if road.kubeconfig:
        return text_file_read(road.kubeconfig, "kubeconfig")
    return _credential_by_kubectl(session, road, mode, namespaces)


def _credential_by_kubectl(session: Session, road: Road, mode: str, namespaces: tuple[str, ...]) -> str:
    assert road.context
    kubectl = Kubectl(road.context, session.environment)
    address = kubectl.address()
    manifest = _manifest_get(session, mode, namespaces, road.long_lived)
    account = manifest_account(manifest)
    if road.long_lived and not account.token_secret:
        raise UsageProblem("The server's manifest has no token Secret; connect without --long-lived.")
    _agree(manifest, road, address.server)
    kubectl.apply(manifest)
    if road.long_lived:
        token = kubectl.token_read(secret=account.token_secret, namespace=account.namespace, clock=session.clock)
    else:
        token = kubectl.token_create(account=account.name, namespace=account.namespace, seconds=road.token_expires_in)
    if address.proxy_url and not road.server:
        note(f"Your context goes through the proxy {address.proxy_url}; Marina dials {address.server} itself.")
    return credential_render(replace(address, server=road.server or address.server), token)


def _manifest_get(session: Session, mode: str, namespaces: tuple[str, ...], long_lived: bool) -> str:
    params = {"mode": mode, "namespaces": ",".join(namespaces), "long_lived": str(long_lived).lower()}
    return session.api.text("/host-clusters/manifest", {key: value for key, value in params.items() if value})


def _agree(manifest: str, road: Road, server: str) -> None:
    note(f"This is what Marina needs on {server} (context {road.context}), and no more:\n\n{manifest}")
    if road.yes:
        return
    if not sys.stdin.isatty():
        raise UsageProblem("Nobody can be asked here, so nothing was applied.", hint="Say --yes to apply it.")
    click.confirm(f"Apply it with your kubectl to the context {road.context}?", abort=True, err=True)


@click.command("connect")
@click.argument("name")
@road_options
@click.option("--mode", type=click.Choice(["cluster", "namespaces"]), default="cluster", show_default=True)
@click.option("--namespace", "namespaces", metavar="NS", multiple=True, help="With --mode namespaces; repeat it.")
@click.option("--scope", type=click.Choice(["platform", "organization"]), help="Whose host it is.")
@click.option("--organization", metavar="ORG", help="The organization it belongs to; implies --scope organization.")
@click.option("--label", "labels", metavar="K=V", multiple=True, help="A label; may be repeated.")
@click.option("--region", metavar="R", help="Where it is.")
@click.option(
    "--exposure",
    type=click.Choice(["None", "LoadBalancer", "Local"], case_sensitive=False),
    help="How APIs of clusters there are published. None: they get no address, and are reached by a port-forward.",
)
@click.option("--values", "values_file", metavar="FILE", help="Chart values for everything placed there; - for stdin.")
@click.option("--offer-to", "offers", metavar="ORG[/PROJECT]", multiple=True, help="Who may use it; repeat it.")
@click.option("--offer-to-nobody", "nobody", is_flag=True, help="Only those whom its region is offered to may use it.")
@dry_run_option
@wait_options
@output_option
@pass_session
def host_connect(
    session: Session,
    name: str,
    mode: str,
    namespaces: tuple[str, ...],
    scope: str | None,
    organization: str | None,
    labels: tuple[str, ...],
    region: str | None,
    exposure: str | None,
    values_file: str | None,
    offers: tuple[str, ...],
    nobody: bool,
    dry_run: bool,
    wait: bool,
    timeout: int,
    form: str,
    road: Road,
) -> None:
    """Connect a Kubernetes cluster as the host NAME.

    With --kubeconfig the file is sent as it is. With --context your own kubectl makes a ServiceAccount with the least
    that Marina needs, and only server, CA and its token are sent: your own credential stays on this machine.

    Unless you say otherwise, a host of the platform is offered to everybody, one of an organization to its projects.
    """
    dry_run_check(dry_run, wait)
    if dry_run and road.context:
        raise UsageProblem("With --context something is made on the host.", hint="Give --kubeconfig to a --dry-run.")
    _namespaces_check(mode, namespaces)
    if nobody and offers:
        raise UsageProblem("--offer-to and --offer-to-nobody exclude each other.")
    body = {
        "name": name,
        "mode": mode,
        "namespaces": list(namespaces),
        "scope": scope or ("organization" if organization else "platform"),
        "organization": organization,
        "labels": labels_parse(labels),
        "region": region,
        "exposure": exposure,
        "values": values_read(values_file) if values_file else None,
        "offered_to": offers_parse(offers) if offers else {"all": False} if nobody else None,
    }
    credential = credential_make(session, road, mode, namespaces)
    given = {key: value for key, value in body.items() if value}
    answer = session.api.start("POST", "/host-clusters", {**given, "kubeconfig": credential}, dry_run=dry_run)
    if dry_run:
        item: Json = answer.get("host_cluster") or {"name": name}
        dry_run_tell(item, form, f"{name} would be connected. Whether it answers, only connecting it shows.")
        return
    connection_report(session, answer, name, wait, timeout, form)


def _namespaces_check(mode: str, namespaces: tuple[str, ...]) -> None:
    if (mode == "namespaces") != bool(namespaces):
        raise UsageProblem(
            "--mode namespaces and --namespace go together.",
            fields=[FieldError("--namespace", "Give each namespace that Marina may use.", "--namespace NAME ...")],
        )


def connection_report(session: Session, answer: Json, name: str, wait: bool, timeout: int, form: str) -> None:
    """Say how connecting goes on, or how it ended."""
    item: Json = answer.get("host_cluster") or {"name": name}
    if wait:
        operation_await(session, answer, timeout)
        item = host_find(session.api, str(item.get("id") or name))

    def people(item: Json) -> None:
        version = word(item.get("kubernetes_version"))
        click.echo(f"{name} is connected, Kubernetes {version}." if wait else f"{name} is being connected.")
        if not wait:
            note(f"Watch it with `{watch_command(answer)}`.")
        if offered := offered_sentence(item):
            note(f"It is offered to {offered}; `marina host offer` and `withdraw` change that.")
        if item.get("exposure") == "None":
            note("Its exposure is None: virtual clusters there get no published address, only a port-forward.")

    print_one(item, form, people)


@click.command("renew")
@click.argument("name", shell_complete=complete_hosts)
@road_options
@wait_options
@output_option
@pass_session
def host_renew(session: Session, name: str, wait: bool, timeout: int, form: str, road: Road) -> None:
    """Give Marina a new credential for the host NAME, by the same two roads as `connect`."""
    host = host_find(session.api, name)
    namespaces = tuple(str(item) for item in host.get("namespaces") or ())
    credential = credential_make(session, road, str(host.get("mode") or "cluster"), namespaces)
    answer = session.api.start("PUT", f"/host-clusters/{host['id']}/credential", {"kubeconfig": credential})
    connection_report(session, {"host_cluster": host, **answer}, name, wait, timeout, form)
