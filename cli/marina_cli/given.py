"""Values given on the command line or in files, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import click
import yaml

from marina_cli.durations import duration_parse, time_parse
from marina_cli.errors import FieldError, UsageProblem
from marina_cli.private_file import text_file_read
from marina_cli.text import Json


def labels_parse(pairs: Iterable[str], option: str = "--label") -> dict[str, str]:
    """Labels of several `key=value`; UsageProblem for one without a key or an equals sign."""
    labels = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageProblem(
                f"{pair!r} is no label.", fields=[FieldError(option, "It has no key and value.", "key=value")]
            )
        labels[key] = value
    return labels


def values_read(path: str) -> Json:
    """The chart values in a YAML or JSON file (`-`: standard input); UsageProblem where they are no mapping."""
    try:
        values = yaml.safe_load(text_file_read(path, "values file"))
    except yaml.YAMLError as error:
        raise UsageProblem(f"The values file {path} is no YAML: {' '.join(str(error).split())}") from None
    if values is not None and not isinstance(values, dict):
        raise UsageProblem(f"The values file {path} is no mapping of keys to values.")
    return values or {}


def offers_parse(targets: Iterable[str]) -> dict[str, list[str]]:
    """Whom a host is offered to: `organization`, or `organization/project`."""
    offered: dict[str, list[str]] = {"organizations": [], "projects": []}
    for target in targets:
        offered["projects" if "/" in target else "organizations"].append(target)
    return offered


def subject_parse(who: str, option: str = "--with") -> dict[str, str]:
    """Who is meant by `ana`, `team:NAME` or `service-account:NAME`, as the API takes it."""
    kind, colon, name = who.partition(":")
    keys = {"user": "user", "team": "team", "service-account": "service_account"}
    if not colon:
        return {"user": who}
    if kind not in keys or not name:
        raise UsageProblem(
            f"{who!r} names nobody.",
            fields=[FieldError(option, "Its kind is not known.", "a handle, team:NAME or service-account:NAME")],
        )
    return {keys[kind]: name}


def number_or_none(text: str) -> int | None:
    """A number, or None for `none`; UsageProblem for everything else."""
    if text == "none":
        return None
    if not text.isdecimal():
        raise UsageProblem(f"{text!r} is neither a number nor `none`.")
    return int(text)


def moment_given(text: str, option: str, now: datetime) -> str:
    """A time as the API takes it, of one or of a span before now; UsageProblem where it is neither."""
    with suppress(ValueError):
        return (now - timedelta(seconds=duration_parse(text.strip().lower()))).isoformat()
    moment = time_parse(text)
    if moment is None:
        raise UsageProblem(f"{option} {text!r} is no time.", hint="Accepted: 2h, 7d, or 2026-11-23T10:00:00Z.")
    return moment.isoformat()


def ceiling_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """The option `--kubeconfig-ceiling`."""
    return click.option(
        "--kubeconfig-ceiling",
        type=click.Choice(["none", "view", "admin"]),
        help="The most that a kubeconfig gives inside its clusters.",
    )(function)
