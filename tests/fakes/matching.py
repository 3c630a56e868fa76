"""Selectors: which objects a list asks for."""

import re
from collections.abc import Callable
from typing import Any

from provisioning.drivers.kinds import Json
from tests.fakes.answers import Refusal

Matches = Callable[[Json], bool]
_SET = re.compile(r"^(?P<key>\S+) (?P<how>in|notin) \((?P<values>[^)]*)\)$")
_TERMS = re.compile(r",(?![^(]*\))")


def labels_match(selector: str) -> Matches:
    """Of a label selector: equality, sets and presence."""
    terms = [_label_term(term.strip()) for term in _TERMS.split(selector) if term.strip()]
    return lambda found: all(term(found["metadata"].get("labels") or {}) for term in terms)


def _label_term(term: str) -> Callable[[dict[str, str]], bool]:
    if chosen := _SET.match(term):
        key, values = chosen["key"], {value.strip() for value in chosen["values"].split(",")}
        return lambda labels: (labels.get(key) in values) == (chosen["how"] == "in")
    if "!=" in term:
        key, _, value = term.partition("!=")
        return lambda labels: labels.get(key.strip()) != value.strip()
    if "=" in term:
        key, _, value = term.replace("==", "=").partition("=")
        return lambda labels: labels.get(key.strip()) == value.strip()
    if term.startswith("!"):
        return lambda labels: term[1:].strip() not in labels
    return lambda labels: term in labels


def fields_match(selector: str) -> Matches:
    """Of a field selector: equality of dotted paths."""
    terms = []
    for term in filter(None, selector.split(",")):
        path, _, value = term.replace("==", "=").partition("=")
        if not path:
            raise Refusal(400, "BadRequest", f"invalid field selector: {selector}")
        negated = path.endswith("!")
        terms.append((path.rstrip("!").split("."), value, negated))
    return lambda found: all((_at(found, path) == value) != negated for path, value, negated in terms)


def _at(found: Any, path: list[str]) -> str:
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return "" if found is None else str(found)
