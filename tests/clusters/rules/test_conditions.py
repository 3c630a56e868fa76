"""Conditions: one a type, in a lasting order, with the time of their last change."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from clusters.models import Condition, condition_set

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def _condition(kind: str, status: Literal["True", "False", "Unknown"] = "True") -> Condition:
    return Condition(type=kind, status=status, reason="Because", message="A sentence.")


def _times(conditions) -> dict[str, str]:
    return {each["type"]: each["last_transition_time"] for each in conditions}


def test_each_keeps_its_place_when_another_one_changes():
    found = condition_set(condition_set([], _condition("Reachable"), now=NOW), _condition("Authorized"), now=NOW)
    later = condition_set(found, _condition("Reachable", "False"), now=NOW + timedelta(hours=1))
    assert [each["type"] for each in later] == ["Reachable", "Authorized"]


def test_its_time_moves_only_with_its_status():
    found = condition_set([], _condition("Reachable"), now=NOW)
    said_again = condition_set(found, _condition("Reachable"), now=NOW + timedelta(hours=1))
    changed = condition_set(said_again, _condition("Reachable", "Unknown"), now=NOW + timedelta(hours=2))
    assert _times(said_again) == _times(found)
    assert _times(changed) == {"Reachable": (NOW + timedelta(hours=2)).isoformat()}
