"""Handles for people whom somebody else named."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from accounts.models.user import HANDLE_LENGTH

_FALLBACK: Final = "user"


def handle_from(*candidates: str) -> str:
    """The first of these that leaves something when it is written as a handle: of an e-mail address what is before @.

    It keeps HANDLE_RULE; whether it is free is not asked.
    """
    written = (_written(each.partition("@")[0] if "@" in each.strip("@") else each) for each in candidates)
    return next((each for each in written if each), _FALLBACK)


def handles_alike(handle: str) -> Iterator[str]:
    """This handle, then the same with -2, -3 and so on, none longer than a handle may be."""
    yield handle
    number = 2
    while True:
        ending = f"-{number}"
        yield handle[: HANDLE_LENGTH - len(ending)].rstrip("-") + ending
        number += 1


def _written(text: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")[:HANDLE_LENGTH].strip("-")
