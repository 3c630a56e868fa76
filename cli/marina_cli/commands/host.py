"""`marina host`: the clusters that virtual clusters run on."""

from __future__ import annotations

import sys
from datetime import datetime

import click

from marina_cli.commands.cluster_views import conditions_show, heading, operation_show
from marina_cli.commands.forget_retained import host_forget
from marina_cli.commands.host_connect import host_connect, host_renew
from marina_cli.commands.host_lost import host_evacuate, host_found, host_lost
from marina_cli.commands.host_manifest import host_manifest
from marina_cli.commands.host_offer import host_offer, host_offers, host_withdraw, offered_sentence
from marina_cli.commands.host_update import host_update, signals_sentence, traffic_sentence
from marina_cli.commands.waiting import wait_options
from marina_cli.completing import complete_hosts
from marina_cli.durations import age, time_parse
from marina_cli.errors import ExitCode
from marina_cli.host_health import answers, answers_sentence, capacity_sentence, not_counted
from marina_cli.lookup import host_find
from marina_cli.output import Column, console, note, output_option, print_fields, print_list, print_one, state_text
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, labels, word

COLUMNS = (
    Column("NAME", lambda item: word(item.get("name"))),
    Column("PHASE", lambda item: _phase(item), state=True),
    Column("VERSION", lambda item: word(item.get("kubernetes_version"))),
    Column("ANSWERS", answers),
    Column("MODE", lambda item: word(item.get("mode"))),
    Column("REGION", lambda item: word(item.get("region"))),
    Column("EXPOSURE", lambda item: word(item.get("exposure"))),
    Column("CAPACITY", lambda item: capacity_sentence(item) or "-", wide=True),
    Column("SERVER", lambda item: word(item.get("server")), wide=True),
    Column("SCOPE", lambda item: word(item.get("scope")), wide=True),
    Column("LABELS", lambda item: labels(item.get("labels")), wide=True),
    Column("ID", lambda item: word(item.get("id")), wide=True),
)


def _phase(item: Json) -> str:
    remark = ", lost" if item.get("lost_at") else ", cordoned" if item.get("cordoned") else ""
    return word(item.get("phase")) + remark


@click.group()
def host() -> None:
    """Host clusters: the real clusters that virtual ones run on."""


host.add_command(host_connect)
host.add_command(host_renew)
host.add_command(host_update)
host.add_command(host_manifest)
host.add_command(host_offer)
host.add_command(host_withdraw)
host.add_command(host_offers)
host.add_command(host_lost)
host.add_command(host_found)
host.add_command(host_evacuate)


@host.command("list")
@output_option
@pass_session
def host_list(session: Session, form: str) -> None:
    """List the host clusters you may see."""
    empty = "There is no host cluster that you may see. Connect one with `marina host connect NAME --context C`."
    print_list(list(session.api.pages("/host-clusters")), form, COLUMNS, empty=empty)


@host.command("get")
@click.argument("name", shell_complete=complete_hosts)
@output_option
@pass_session
def host_get(session: Session, name: str, form: str) -> None:
    """Show one host cluster."""
    item = session.api.get(f"/host-clusters/{host_find(session.api, name)['id']}")
    print_one(item, form, lambda item: _show(item, session.clock.now()))


def _show(item: Json, now: datetime) -> None:
    console().print(heading(f"{word(item.get('name'))}  ").append_text(state_text(_phase(item))))
    expires = time_parse(item.get("credential_expires_at"))
    print_fields(
        [
            ("server", word(item.get("server"))),
            ("Kubernetes", word(item.get("kubernetes_version"))),
            ("answers", answers_sentence(item, now)),
            ("capacity", capacity_sentence(item)),
            ("not counted", not_counted(item)),
            ("at once", f"{item['concurrency']} operations at most" if item.get("concurrency") else ""),
            ("mode", word(item.get("mode"))),
            ("namespaces", word(item.get("namespaces"))),
            ("scope", word(item.get("scope"))),
            ("region", word(item.get("region"))),
            ("offered to", offered_sentence(item)),
            ("idle needs", signals_sentence(item)),
            ("traffic", traffic_sentence(item)),
            ("exposure", word(item.get("exposure"))),
            ("storage class", word(item.get("storage_class"))),
            ("ingress classes", word(item.get("ingress_classes"))),
            ("labels", labels(item.get("labels"))),
            ("credential", f"holds until {expires.astimezone():%Y-%m-%d %H:%M %Z}" if expires else ""),
            ("connected", f"{age(item['created_at'], now)} ago" if item.get("created_at") else ""),
            ("id", word(item.get("id"))),
        ]
    )
    conditions_show(item, now)
    if item.get("operation"):
        operation_show(item["operation"], now)


def _cordon_set(session: Session, name: str, wanted: bool, form: str) -> None:
    item = host_find(session.api, name)
    changed = session.api.change("PATCH", f"/host-clusters/{item['id']}", {"cordoned": wanted})
    sentence = "is cordoned: nothing new is placed there." if wanted else "takes new virtual clusters again."
    print_one(changed or item, form, lambda _: click.echo(f"{word(item.get('name'))} {sentence}"))


@host.command("cordon")
@click.argument("name", shell_complete=complete_hosts)
@output_option
@pass_session
def host_cordon(session: Session, name: str, form: str) -> None:
    """Place nothing new on a host; what is there stays."""
    _cordon_set(session, name, True, form)


@host.command("uncordon")
@click.argument("name", shell_complete=complete_hosts)
@output_option
@pass_session
def host_uncordon(session: Session, name: str, form: str) -> None:
    """Allow new placements on a host again."""
    _cordon_set(session, name, False, form)


@host.command("disconnect")
@click.argument("name", shell_complete=complete_hosts)
@click.option("--forget-retained", is_flag=True, help="First remove what clusters left there that moved away.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@wait_options
@output_option
@pass_session
def host_disconnect(
    session: Session, name: str, forget_retained: bool, yes: bool, wait: bool, timeout: int, form: str
) -> None:
    """Forget a host and its credential; refused while a virtual cluster is placed there.

    What clusters left there that moved away keeps it too, for some days. --forget-retained begins to remove that (they
    cannot go back then); with --wait the host is disconnected when it is done, else say so again then. Of a host that
    is lost for good it is forgotten too what was on it, once that is made again elsewhere.
    """
    item = host_find(session.api, name)
    if not yes and sys.stdin.isatty():
        note(
            f"This makes Marina forget the host {word(item.get('name'))} and its credential.\n"
            f"What goes: Marina's way to {word(item.get('server'))}.\n"
            "What stays: the cluster itself, with the ServiceAccount and roles that were made for Marina."
        )
        if not click.confirm(f"Disconnect {word(item.get('name'))}?", err=True):
            note("Nothing was disconnected.")
            raise click.exceptions.Exit(ExitCode.REFUSED)
    if forget_retained and not host_forget(session, item, yes=yes, wait=wait, timeout=timeout, form=form):
        return
    session.api.change("DELETE", f"/host-clusters/{item['id']}")
    print_one(item, form, lambda _: click.echo(f"{word(item.get('name'))} is disconnected."))
