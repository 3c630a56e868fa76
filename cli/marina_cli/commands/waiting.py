"""The options --wait and --timeout, and what a command does with the operation it started."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from marina_cli.durations import DURATION
from marina_cli.operations import Operation, operation_read
from marina_cli.session import Session
from marina_cli.text import Json
from marina_cli.watch import operation_follow, succeeded_or_raise


def wait_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options `--wait` and `--timeout`."""
    timeout = click.option(
        "--timeout", type=DURATION, default="10m", show_default=True, help="How long to wait with --wait."
    )
    return click.option("--wait", is_flag=True, help="Show the steps until it is done.")(timeout(function))


def operation_await(session: Session, answer: Json, timeout: float | None) -> Operation:
    """Follow the operation of a 202 answer to its good end; CliError for every other end."""
    operation = operation_read(answer.get("operation") or answer)
    return succeeded_or_raise(operation_follow(operation, api=session.api, clock=session.clock, timeout=timeout))


def watch_command(answer: Json) -> str:
    """The command that shows how the started work goes on."""
    return f"marina op watch {operation_read(answer.get('operation') or answer).id}"
