"""What of a virtual cluster is still on its host, asked of the host itself and not of Marina."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Ask = Callable[..., str]
"""Runs kubectl on the host with these arguments; returns what it printed."""


@dataclass(frozen=True)
class Gone:
    """The virtual cluster that must have left nothing."""

    id: str
    namespace: str


def leftovers(gone: Gone, ask: Ask) -> list[str]:
    """KIND/NAME of everything outside namespaces that names it or its namespace; the namespace itself among them.

    With the namespace gone, nothing can be left inside it.
    """
    kinds = ask("api-resources", "--namespaced=false", "--verbs=list", "--output=name").split()
    documents = json.loads(ask("get", ",".join(kinds), "--output=json", "--ignore-not-found") or '{"items": []}')
    return [f"{item['kind']}/{item['metadata']['name']}" for item in documents["items"] if _names(item, gone)]


def _names(item: dict[str, Any], gone: Gone) -> bool:
    return any(gone.id in text or gone.namespace in text for text in _texts(_without_history(item)))


def _without_history(item: dict[str, Any]) -> dict[str, Any]:
    """Managed fields and status tell of the past, not of what is there."""
    metadata = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
    return {**item, "metadata": metadata, "status": None}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
