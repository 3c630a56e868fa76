"""Who set which field: server-side apply and merge patch, with the field managers a real server keeps.

Maps are merged key by key. Lists are one value each: the few that a real server merges by key are not modelled.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from provisioning.drivers.kinds import Json

Path = tuple[str, ...]
Managers = dict[tuple[str, str], set[Path]]
"""Field manager and operation (Apply or Update), and the leaves it set last."""

_OF_THE_SERVER = {
    ("metadata", key)
    for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields")
}


def leaves(value: Any, at: Path = ()) -> Iterator[Path]:
    """The paths of everything that is no map, or an empty one."""
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from leaves(below, (*at, key))
    elif at not in _OF_THE_SERVER and at not in (("apiVersion",), ("kind",)):
        yield at


def applied(live: Json, wanted: Json, manager: str, managers: Managers, *, force: bool) -> Json:
    """The object after an apply; `managers` is brought up to date. ValueError names fields that others hold."""
    me, mine = (manager, "Apply"), set(leaves(wanted))
    others = {owner: paths for owner, paths in managers.items() if owner != me}
    changed = {path for path in mine if _at(live, path) != _at(wanted, path)}
    contested = {path for paths in others.values() for path in paths & changed}
    if contested and not force:
        raise ValueError(", ".join("." + ".".join(path) for path in sorted(contested)))
    result = copy.deepcopy(live)
    kept = set().union(*others.values()) if others else set()
    for path in managers.get(me, set()) - mine - kept:
        _remove(result, path)
    _merge(result, wanted)
    for paths in others.values():
        paths -= contested
    managers[me] = mine
    _forget_idle(managers)
    return result


def patched(live: Json, patch: Json, manager: str, managers: Managers) -> Json:
    """The object after a JSON merge patch."""
    result = copy.deepcopy(live)
    _merge_patch(result, patch)
    updated(live, result, manager, managers)
    return result


def updated(before: Json, after: Json, manager: str, managers: Managers) -> None:
    """Gives what changed to the manager who changed it."""
    there = set(leaves(after))
    changed = {path for path in there if _at(before, path) != _at(after, path)}
    for paths in managers.values():
        paths &= there
        paths -= changed
    if changed:
        managers.setdefault((manager, "Update"), set()).update(changed)
    _forget_idle(managers)


def as_managed_fields(managers: Managers, api_version: str, times: Mapping[tuple[str, str], str]) -> list[Json]:
    """As metadata.managedFields has it; `times`: when each of them wrote last."""
    return [
        {
            "manager": manager,
            "operation": operation,
            "apiVersion": api_version,
            **({"time": times[manager, operation]} if (manager, operation) in times else {}),
            "fieldsType": "FieldsV1",
            "fieldsV1": _nested(paths),
        }
        for (manager, operation), paths in managers.items()
    ]


def _nested(paths: set[Path]) -> Json:
    tree: Json = {}
    for path in sorted(paths):
        at = tree
        for key in path:
            at = at.setdefault(f"f:{key}", {})
    return tree


def _forget_idle(managers: Managers) -> None:
    for owner in [owner for owner, paths in managers.items() if not paths]:
        del managers[owner]


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _remove(value: Json, path: Path) -> None:
    """The leaf, and the maps that become empty by it."""
    *above, last = path
    parents = [value]
    for key in above:
        below = parents[-1].get(key)
        if not isinstance(below, dict):
            return
        parents.append(below)
    parents[-1].pop(last, None)
    for parent, key in reversed(list(zip(parents, above, strict=False))):
        if parent[key] == {}:
            del parent[key]


def _merge(value: Json, wanted: Json) -> None:
    for key, new in wanted.items():
        if isinstance(new, dict) and isinstance(value.get(key), dict):
            _merge(value[key], new)
        else:
            value[key] = copy.deepcopy(new)


def _merge_patch(value: Json, patch: Json) -> None:
    for key, new in patch.items():
        if new is None:
            value.pop(key, None)
        elif isinstance(new, dict):
            below = value.get(key)
            if not isinstance(below, dict):
                below = value[key] = {}
            _merge_patch(below, new)
        else:
            value[key] = copy.deepcopy(new)
