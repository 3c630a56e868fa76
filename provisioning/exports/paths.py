"""Paths into objects: what a rule names, taken out; every leaf, named."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

Path = tuple[str, ...]
"""Keys from the outside in. `*` is any key or item of a list, `**` at the beginning any depth."""

ANY: Final = "*"
ANYWHERE: Final = "**"
FREE: Final = frozenset({"data", "binaryData", "stringData", "labels", "annotations", "matchLabels", "nodeSelector"})
"""Mappings in which people name things as they like: what stands in them is a reference to nothing."""
Wanted = Callable[[Mapping[str, Any], Any], bool]
"""Whether a value is meant, given the mapping that holds it."""


def path_remove(value: Any, path: Path, wanted: Wanted) -> bool:
    """Takes what the path names out of the value, in place, and the mappings on its way that are empty without it.

    True where the value itself is such a mapping.
    """
    if path[0] == ANYWHERE:
        return _removed_anywhere(value, path[1], wanted)
    if isinstance(value, list):
        # an item stays where it is even when it is empty: the number of items tells something
        for item in value if path[0] == ANY and len(path) > 1 else ():
            path_remove(item, path[1:], wanted)
        return False
    if not isinstance(value, dict):
        return False
    for key in list(value) if path[0] == ANY else [path[0]] if path[0] in value else []:
        last = len(path) == 1
        if (last and wanted(value, value[key])) or (not last and path_remove(value[key], path[1:], wanted)):
            del value[key]
    return not value


def _removed_anywhere(value: Any, key: str, wanted: Wanted) -> bool:
    """As `path_remove` for a key at any depth but in FREE mappings; what was empty before stays."""
    if isinstance(value, list):
        for item in value:
            _removed_anywhere(item, key, wanted)
    if not isinstance(value, dict) or not value:
        return False
    for inner in [each for each in value if each not in FREE]:
        if _removed_anywhere(value[inner], key, wanted) or (inner == key and wanted(value, value[inner])):
            del value[inner]
    return not value


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every field that holds no other one, by its path; empty mappings and lists count as such."""
    if isinstance(value, Mapping) and value:
        for key in sorted(value):
            yield from leaves(value[key], f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            name = inner.get("name", index) if isinstance(inner, Mapping) else index
            yield from leaves(inner, f"{path}[{name}]")
    else:
        yield path, value
