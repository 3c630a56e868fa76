"""Conditions as Kubernetes writes them, kept as a JSON list on hosts and virtual clusters."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One statement about an object. `reason` is CamelCase, `message` a sentence."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


def condition_set(conditions: list[dict[str, Any]], new: Condition, *, now: datetime) -> list[dict[str, Any]]:
    """The list with `new` in place of its type's condition; the transition time moves only when the status does."""
    old = next((c for c in conditions if c["type"] == new.type), None)
    since = old["last_transition_time"] if old and old["status"] == new.status else now.isoformat()
    by_type = {c["type"]: c for c in conditions} | {new.type: {**asdict(new), "last_transition_time": since}}
    return list(by_type.values())  # each keeps its place, so that what is shown does not jump
