"""`marina host update`: which signals of use a host needs."""

from __future__ import annotations

import click

from marina_cli.completing import complete_hosts
from marina_cli.errors import FieldError, UsageProblem
from marina_cli.lookup import host_find
from marina_cli.output import output_option, print_one
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, word


@click.command("update")
@click.argument("name", shell_complete=complete_hosts)
@click.option(
    "--signal",
    "signals",
    metavar="KIND=required|optional",
    multiple=True,
    help="Whether a cluster there may be called idle while this signal of use is not known; repeat it.",
)
@output_option
@pass_session
def host_update(session: Session, name: str, signals: tuple[str, ...], form: str) -> None:
    """Change which signals of use the host NAME needs, such as cpu=required."""
    told = dict(_parsed(text) for text in signals)
    if not told:
        raise UsageProblem("Say what to change: --signal KIND=required or KIND=optional.")
    item = host_find(session.api, name)
    changed = session.api.change("PATCH", f"/host-clusters/{item['id']}", {"required_signals": told})
    print_one(changed, form, lambda item: click.echo(f"{name} needs {signals_sentence(item)}."))


def _parsed(text: str) -> tuple[str, str]:
    kind, _, need = text.partition("=")
    if not kind or need not in ("required", "optional"):
        wrong = FieldError("--signal", f"{text!r} is not KIND=required or KIND=optional.", "--signal cpu=required")
        raise UsageProblem("A signal is required or optional.", fields=[wrong])
    return kind, need


def signals_sentence(item: Json) -> str:
    """The signals that a host needs, in words; "" where the server does not say so."""
    told = item.get("required_signals")
    if not isinstance(told, dict):
        return ""
    return ", ".join(word(kind) for kind, need in told.items() if need == "required") or "none of the signals of use"
