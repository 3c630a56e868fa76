"""How a host is: whether it answers, and what it has, as people read it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from unfold.utils import display_for_label

from clusters.admin.words import NOTHING
from clusters.models import Breaker, HostCluster

NAMESPACES_SHOWN: Final = 20
_TOLD: Final = {
    Breaker.CLOSED: ("answers", "success"),
    Breaker.OPEN: ("does not answer", "danger"),
    Breaker.HALF_OPEN: ("is tried again", "warning"),
}


def breaker_in_words(host: HostCluster) -> SafeString:
    """As a label; where work for it waits, since when."""
    if host.answered_at is None and host.breaker == Breaker.CLOSED:
        return SafeString(NOTHING)
    words, colour = _TOLD[Breaker(host.breaker)]
    if host.breaker != Breaker.CLOSED and host.breaker_since:
        words = f"{words} since {_moment(host.breaker_since)}"
    return SafeString(display_for_label(words, NOTHING, {words: colour}))


def asked_in_words(host: HostCluster) -> str:
    """When it was asked whether it is there, when it last answered, and when it was looked at."""
    moments = (("asked", host.probed_at), ("answered", host.answered_at), ("looked at", host.surveyed_at))
    return ", ".join(f"{what} {_moment(when)}" for what, when in moments if when) or NOTHING


def _moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"


def capacity_in_words(capacity: Mapping[str, Any]) -> SafeString | str:
    """The sum first, then the namespaces that ask for most memory, then what could not be counted."""
    requested = capacity.get("requested")
    if not isinstance(requested, dict):
        return NOTHING
    allocatable = capacity.get("allocatable")
    lines = [_nodes(capacity), _amounts(requested, allocatable if isinstance(allocatable, dict) else None)]
    spaces = capacity.get("requested_by_namespace") or {}
    greatest = sorted(spaces.items(), key=lambda item: (-item[1]["memory"], item[0]))
    lines += [f"{name}: {_amounts(amount, None)}" for name, amount in greatest[:NAMESPACES_SHOWN]]
    if len(greatest) > NAMESPACES_SHOWN:
        lines.append(f"and {len(greatest) - NAMESPACES_SHOWN} namespaces more")
    lines += [f"Not counted: {each}" for each in capacity.get("left_out") or []]
    return format_html_join(mark_safe("<br>"), "{}", ((format_html("{}", line),) for line in lines if line))


def _nodes(capacity: Mapping[str, Any]) -> str:
    if capacity.get("nodes") is None:
        return ""
    return f"{capacity.get('nodes_ready', 0)} of {capacity['nodes']} nodes take pods"


def _amounts(requested: Mapping[str, int], allocatable: Mapping[str, int] | None) -> str:
    """CPU in cores, memory, pods: asked for, and of how much where that is known."""
    told = {
        "CPU": [f"{each['cpu'] / 1000:g}" for each in (requested, allocatable) if each],
        "memory": [filesizeformat(each["memory"]) for each in (requested, allocatable) if each],
        "pods": [str(each["pods"]) for each in (requested, allocatable) if each],
    }
    return ", ".join(f"{what} {' of '.join(parts)}" for what, parts in told.items())
