"""`marina host update`: which signals of use a host needs, and where its ingress controller counts requests."""

from __future__ import annotations

import click

from marina_cli.completing import complete_hosts
from marina_cli.errors import FieldError, UsageProblem
from marina_cli.lookup import host_find
from marina_cli.output import note, output_option, print_one
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
@click.option(
    "--ingress-metrics",
    "service",
    metavar="NAMESPACE/SERVICE:PORT",
    help="Where its ingress controller counts requests, such as ingress-nginx/ingress-nginx-controller-metrics:10254.",
)
@click.option("--ingress-path", "path", metavar="PATH", help="With --ingress-metrics: /metrics unless given.")
@click.option("--ingress-metric", "metric", metavar="METRIC", help="The counter; that of ingress-nginx unless given.")
@click.option("--ingress-label", "namespace_label", metavar="LABEL", help="The counter's label that tells a namespace.")
@click.option("--ingress-class", "ingress_class", metavar="CLASS", help="The only class whose ingresses come by it.")
@click.option("--no-ingress-metrics", "nowhere", is_flag=True, help="It tells nothing of its traffic any more.")
@output_option
@pass_session
def host_update(
    session: Session,
    name: str,
    signals: tuple[str, ...],
    service: str | None,
    path: str | None,
    metric: str | None,
    namespace_label: str | None,
    ingress_class: str | None,
    nowhere: bool,
    form: str,
) -> None:
    """Change which signals of use the host NAME needs, and where its ingress controller tells of web traffic."""
    traffic = {
        "service": service,
        "path": path,
        "metric": metric,
        "namespace_label": namespace_label,
        "ingress_class": ingress_class,
    }
    body = _body(signals, {key: value for key, value in traffic.items() if value is not None}, nowhere)
    item = host_find(session.api, name)
    changed = session.api.change("PATCH", f"/host-clusters/{item['id']}", body)
    print_one(changed, form, lambda item: _say(item, name, body))


def _body(signals: tuple[str, ...], traffic: Json, nowhere: bool) -> Json:
    body: Json = {}
    if told := dict(_parsed(text) for text in signals):
        body["required_signals"] = told
    if traffic and (nowhere or not traffic.get("service")):
        raise UsageProblem(
            "Where requests are counted is said by --ingress-metrics NAMESPACE/SERVICE:PORT, as a whole."
        )
    if traffic or nowhere:
        body["ingress_metrics"] = traffic or None
    if not body:
        raise UsageProblem("Say what to change: --signal KIND=required or KIND=optional, or --ingress-metrics.")
    return body


def _say(item: Json, name: str, body: Json) -> None:
    if "required_signals" in body:
        click.echo(f"{name} needs {signals_sentence(item)}.")
    if "ingress_metrics" not in body:
        return
    click.echo(f"{name}: {traffic_sentence(item) or 'nobody reads its traffic'}.")
    if body["ingress_metrics"]:
        note(f"It takes a right on the host: `marina host manifest {name} | kubectl apply -f -` gives it there.")


def traffic_sentence(item: Json) -> str:
    """Where its traffic is read; "" where it is not, or the server does not say so."""
    told = item.get("ingress_metrics")
    if not isinstance(told, dict):
        return ""
    told_class = f" (ingresses of the class {word(told.get('ingress_class'))})" if told.get("ingress_class") else ""
    return f"traffic by {word(told.get('metric'))} of {word(told.get('service'))}{word(told.get('path'))}{told_class}"


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
