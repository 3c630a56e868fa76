"""The JSON merge patch (RFC 7396) that makes one object of another."""

from typing import Any

from provisioning.drivers.kinds import Json


def merge_patch(before: Json, after: Json) -> Json:
    """What to send so that `before` becomes `after`: null for what goes, lists whole. Empty where nothing differs."""
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        had = before.get(key)
        if isinstance(value, dict) and isinstance(had, dict):
            if inner := merge_patch(had, value):
                patch[key] = inner
        elif key not in before or had != value:
            patch[key] = value
    return patch
