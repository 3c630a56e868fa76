"""Text that comes from elsewhere, made safe and readable for a terminal."""

from __future__ import annotations

import unicodedata
from typing import Any

Json = dict[str, Any]
"""An object of the API as it came; printed unchanged by `-o json` and `-o yaml`."""


def clean(text: str, *, keep_newlines: bool = False) -> str:
    """`text` without control and direction characters.

    Names and messages come from other tenants and from host events: an escape sequence in one of them must not
    reach the terminal.
    """
    kept = "\n" if keep_newlines else ""
    return "".join(
        letter
        if letter in kept or unicodedata.category(letter) not in ("Cc", "Cf", "Zl", "Zp")
        else (" " if letter in "\n\t" else "\N{REPLACEMENT CHARACTER}")
        for letter in text
    )


def word(value: Any) -> str:
    """One value of the API as a word: an object by its name, a list with commas, nothing as a dash."""
    if value is None or value in ("", [], {}):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        name = value.get("name") or value.get("handle") or value.get("resource") or value.get("kind") or value.get("id")
        return word(name) if name else labels(value)
    if isinstance(value, list):
        return ", ".join(word(item) for item in value)
    return clean(str(value))


def labels(value: Any) -> str:
    """Labels as `key=value,key=value`."""
    if not isinstance(value, dict) or not value:
        return "-"
    return ",".join(clean(f"{key}={item}") for key, item in sorted(value.items()))


def project_path(project: Any) -> str:
    """`organization/name` of a project as the API gives it."""
    if not isinstance(project, dict):
        return word(project)
    return f"{word(project.get('organization'))}/{word(project.get('name'))}"
