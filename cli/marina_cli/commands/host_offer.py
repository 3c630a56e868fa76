"""`marina host offer`, `withdraw` and `offers`: who may place virtual clusters on a host, or on all of a region."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click

from marina_cli.completing import complete_hosts
from marina_cli.errors import CliError, ExitCode, FieldError, UsageProblem
from marina_cli.given import offers_parse
from marina_cli.lookup import host_find
from marina_cli.output import Column, output_option, print_list, print_one
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, project_path, word

COLUMNS = (
    Column("REGION", lambda item: word(item.get("region"))),
    Column("OFFERED TO", lambda item: _to(item)),
    Column("HOSTS NOW", lambda item: str(item.get("hosts", "-"))),
    Column("ID", lambda item: word(item.get("id")), wide=True),
)


def _to(item: Json) -> str:
    return project_path(item["project"]) if item.get("project") else word(item.get("organization"))


def offered_sentence(item: Json) -> str:
    """Who may use a host, in words; "" where the server does not say so to whoever asks."""
    offered = item.get("offered_to")
    if not isinstance(offered, dict):
        return ""
    if offered.get("all"):
        return "everybody"
    names = [item["organization"]] if item.get("organization") else []
    names += [*offered.get("organizations", ()), *offered.get("projects", ())]
    told = list(dict.fromkeys(word(name) for name in names))
    told += [f"{word(name)} by its region" for name in item.get("offered_by_region") or ()]
    return ", ".join(told) or "nobody"


def _one_of(name: str | None, region: str | None) -> None:
    if bool(name) == bool(region):
        raise UsageProblem(
            "Name a host, or a region with --region.",
            fields=[FieldError("--region", "It goes without a host's NAME.", "marina host offer --region R --to ORG")],
        )


def _named(targets: tuple[str, ...], everybody: bool, option: str) -> None:
    if everybody == bool(targets):
        raise UsageProblem(
            f"Say whom: --{option} ORG[/PROJECT], or --{option}-all.",
            fields=[FieldError(f"--{option}", "Give one or more, or else everybody.", f"--{option} acme/payments")],
        )


@click.command("offer")
@click.argument("name", required=False, shell_complete=complete_hosts)
@click.option("--region", metavar="R", help="All hosts of the platform in this region, also those to come.")
@click.option("--to", "targets", metavar="ORG[/PROJECT]", multiple=True, help="Who may use it; repeat it.")
@click.option("--to-all", is_flag=True, help="Everybody; a host of the platform only.")
@output_option
@pass_session
def host_offer(
    session: Session, name: str | None, region: str | None, targets: tuple[str, ...], to_all: bool, form: str
) -> None:
    """Offer the host NAME, or all hosts of a region, to organizations and projects.

    Naming somebody ends that everybody has the host. Those whom its region is offered to keep it.
    """
    _one_of(name, region)
    _named(targets, to_all, "to")
    if name:
        offered = {"all": True} if to_all else None
        _host_change(session, name, lambda before: offered or _with(before, targets), form)
        return
    if to_all:
        raise UsageProblem("A region is offered to some; each host of the platform is offered to all by itself.")
    _region_offer(session, word(region), targets, form)


def _with(before: Json, targets: Iterable[str]) -> Json:
    more = offers_parse(targets)
    return {noun: list(dict.fromkeys([*before.get(noun, ()), *names])) for noun, names in more.items() if names}


def _without(before: Json, targets: Iterable[str]) -> Json:
    less = offers_parse(targets)
    return {noun: [name for name in before.get(noun, ()) if name not in names] for noun, names in less.items() if names}


def _host_change(session: Session, name: str, offer: Callable[[Json], Json], form: str) -> None:
    item = host_find(session.api, name)
    before = item.get("offered_to")
    if not isinstance(before, dict):
        raise CliError(
            f"You do not look after {name}, so you cannot say who may use it.",
            hint="It takes platform staff, or for an organization's own host its admins.",
        )
    changed = session.api.change("PATCH", f"/host-clusters/{item['id']}", {"offered_to": offer(before)})
    print_one(changed, form, lambda item: click.echo(f"{name} is now offered to {offered_sentence(item)}."))


def _region_offer(session: Session, region: str, targets: Iterable[str], form: str) -> None:
    for target in targets:
        noun = "project" if "/" in target else "organization"
        made = session.api.change("POST", "/region-offers", {"region": region, noun: target}, repeat=False)
        count = made.get("hosts", 0)
        hosts = "no host is there yet" if not count else f"{count} host{'' if count == 1 else 's'} now"
        said = f"Every host of the platform in {region} is offered to {target} ({hosts})."
        print_one(made, form, lambda _, said=said: click.echo(said), name="id")  # type: ignore[misc]


@click.command("withdraw")
@click.argument("name", required=False, shell_complete=complete_hosts)
@click.option("--region", metavar="R", help="The offer of this region.")
@click.option("--from", "targets", metavar="ORG[/PROJECT]", multiple=True, help="Who may use it no longer; repeat it.")
@click.option("--from-all", is_flag=True, help="Everybody: then only those whom its region is offered to have it.")
@output_option
@pass_session
def host_withdraw(
    session: Session, name: str | None, region: str | None, targets: tuple[str, ...], from_all: bool, form: str
) -> None:
    """Take an offer of the host NAME, or of a region, back. What runs there goes on."""
    _one_of(name, region)
    _named(targets, from_all, "from")
    if name:
        nobody: Json | None = {"all": False, "organizations": [], "projects": []} if from_all else None
        _host_change(session, name, lambda before: nobody or _without(before, targets), form)
        return
    offers = list(session.api.pages("/region-offers", {"region": word(region)}))
    wanted = [offer for offer in offers if from_all or _to(offer) in targets]
    missing = sorted(set(targets) - {_to(offer) for offer in wanted})
    if missing or not wanted:
        raise CliError(
            f"{word(region)} is not offered to {', '.join(missing) or 'anybody'}.",
            hint="See `marina host offers`.",
            exit_code=ExitCode.NOT_FOUND,
        )
    for offer in wanted:
        session.api.change("DELETE", f"/region-offers/{offer['id']}")
        said = f"{word(region)} is no longer offered to {_to(offer)}."
        print_one(offer, form, lambda _, said=said: click.echo(said), name="id")  # type: ignore[misc]


@click.command("offers")
@click.option("--region", metavar="R", help="Only those of this region.")
@output_option
@pass_session
def host_offers(session: Session, region: str | None, form: str) -> None:
    """List to whom regions are offered. Whom a single host is offered to, `marina host get` shows."""
    items = list(session.api.pages("/region-offers", {"region": region} if region else {}))
    print_list(items, form, COLUMNS, empty="No region is offered to anybody that you may see.", name="id")
