"""How a host is: whether it answers, and what it has, in words for a terminal."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from marina_cli.durations import age
from marina_cli.text import Json, word

_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def answers(item: Json) -> str:
    """One word for a table."""
    breaker = item.get("breaker") or {}
    if breaker.get("state") == "open":
        return "no"
    if breaker.get("state") == "half-open":
        return "tried again"
    return "yes" if item.get("answered_at") else "-"


def answers_sentence(item: Json, now: datetime) -> str:
    """Since when it does or does not answer, and what that means for work."""
    breaker = item.get("breaker") or {}
    last = f"last {age(item['answered_at'], now)} ago" if item.get("answered_at") else "never yet"
    if breaker.get("state") == "open":
        return f"no, {last}: operations wait for it"
    if breaker.get("state") == "half-open":
        return f"{last}; after an outage one operation tries it first"
    if item.get("answered_at"):
        missed = f", {breaker['failures']} questions unanswered since" if breaker.get("failures") else ""
        return last + missed
    return ""


def capacity_sentence(item: Json) -> str:
    """What pods ask for of what nodes have; "" where nothing is known."""
    capacity = item.get("capacity")
    if not isinstance(capacity, dict) or not isinstance(capacity.get("requested"), dict):
        return ""
    has = capacity.get("allocatable")
    requested, has = capacity["requested"], has if isinstance(has, dict) else {}
    parts = [
        f"CPU {_of(requested, has, 'cpu', _cores)}",
        f"memory {_of(requested, has, 'memory', size_text)}",
        f"pods {_of(requested, has, 'pods', word)}",
    ]
    if capacity.get("nodes") is not None:
        parts.append(f"{word(capacity.get('nodes_ready'))} of {word(capacity['nodes'])} nodes take pods")
    return ", ".join(parts)


def not_counted(item: Json) -> str:
    """What could not be counted, and why."""
    capacity = item.get("capacity")
    return word(capacity.get("left_out")) if isinstance(capacity, dict) else ""


def _of(requested: Json, has: Json, key: str, say: Any) -> str:
    asked = say(requested.get(key) or 0)
    return f"{asked} of {say(has[key])}" if has.get(key) is not None else asked


def _cores(millicores: float) -> str:
    return f"{millicores / 1000:g}"


def size_text(amount: float) -> str:
    """Bytes, in the unit that fits."""
    unit = 0
    while amount >= 1024 and unit < len(_SIZES) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{round(amount, 1):g} {_SIZES[unit]}"
