"""What becomes of what does not move as it is: the options of every command that moves virtual clusters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_CHOICES = (
    ("volumes", ("recreate-empty",), "What becomes of what volumes hold."),
    ("jobs", ("restart", "wait"), "What becomes of running Jobs."),
    ("pods", ("recreate", "leave"), "What becomes of Pods without a controller."),
    ("outside", ("proceed",), "Although controllers in it act outside of it."),
    ("node-ports", ("renumber",), "Node ports get other numbers there."),
    ("addresses", ("keep", "remove"), "externalIPs and loadBalancerIP of Services."),
    ("names", ("proceed",), "Although names and machines' ports lead elsewhere."),
    ("tokens", ("reissue",), "Of ServiceAccounts, in Secrets."),
    ("unfrozen", ("proceed",), "Although programs in it can write meanwhile."),
)


def move_options(command: Command) -> Command:
    """An option for each choice, in this order; the command takes them as keywords."""
    for name, options, told in reversed(_CHOICES):
        command = click.option(f"--{name}", type=click.Choice(options), help=told)(command)
    return command


def move_choices(given: Mapping[str, str | None]) -> dict[str, str]:
    """What was chosen, as the API names it."""
    named = ((name, given[name.replace("-", "_")]) for name, _, _ in _CHOICES)
    return {name: option for name, option in named if option}
