"""What differs between two sets of manifests, object by object and field by field."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import yaml

from provisioning.drivers.kinds import Json

HIDDEN: Final = "(not shown)"
LONGEST_SHOWN: Final = 200
MOST_SHOWN: Final = 200

Leaf = str | int | float | bool | None


def manifests_parse(text: str) -> list[Json]:
    """The objects of what helm renders."""
    return [found for found in yaml.safe_load_all(text) if isinstance(found, dict) and found.get("kind")]


def manifests_differ(before: Sequence[Json], after: Sequence[Json]) -> list[dict[str, Any]]:
    """One entry a field: object, path, before, after; null where it is not there. Values of secrets are not shown.

    An object that comes or goes is one entry with the path "". Lists of named things are compared by their names.
    """
    old, new = ({_title(each): each for each in manifests} for manifests in (before, after))
    found: list[dict[str, Any]] = []
    for title in sorted(old.keys() | new.keys()):
        if title not in new or title not in old:
            there = (None, "made") if title in new else ("there", None)
            found.append({"object": title, "path": "", "before": there[0], "after": there[1]})
        else:
            found += [{"object": title, **entry} for entry in _fields_differ(old[title], new[title])]
    return found[:MOST_SHOWN]


def _title(manifest: Json) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def _fields_differ(before: Json, after: Json) -> Iterator[dict[str, Any]]:
    old, new = dict(_leaves(before, "")), dict(_leaves(after, ""))
    secret = before["kind"] == "Secret"
    for path in sorted(old.keys() | new.keys()):
        values = [leaves.get(path, _ABSENT) for leaves in (old, new)]
        if values[0] != values[1]:
            hidden = (secret and path.startswith(("data.", "stringData."))) or _may_be_secret(path)
            shown = [None if value is _ABSENT else HIDDEN if hidden else _short(value) for value in values]
            yield {"path": path, "before": shown[0], "after": shown[1]}


_ABSENT: Final = object()


def _may_be_secret(path: str) -> bool:
    """What a container is given in its environment."""
    return ".env[" in path and path.endswith(".value")


def _short(value: Any) -> Any:
    return f"{value[:LONGEST_SHOWN]} ..." if isinstance(value, str) and len(value) > LONGEST_SHOWN else value


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every field that holds no other one; empty mappings and lists count as such."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            name = inner.get("name", index) if isinstance(inner, Mapping) else index
            yield from _leaves(inner, f"{path}[{name}]")
    else:
        yield path, value
