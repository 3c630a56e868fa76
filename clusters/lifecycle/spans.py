"""Spans of time in words, nothing rounded away."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from accounts.errors import InvalidInput

_UNITS: Final[Mapping[str, int]] = {"d": 86400, "h": 3600, "m": 60, "s": 1}
SPAN_ACCEPTED: Final = "a span such as 7d, 36h or 1d12h"


def span_text(span: timedelta | int) -> str:
    """As the command line takes it: `7d`, `1d12h`, `90m` is `1h30m`. A number is seconds."""
    left = int(span.total_seconds()) if isinstance(span, timedelta) else span
    if left < 0:
        return f"-{span_text(-left)}"
    parts = []
    for unit, length in _UNITS.items():
        number, left = divmod(left, length)
        parts += [f"{number}{unit}"] if number else []
    return "".join(parts) or "0s"


def span_read(text: str, *, field: str) -> int:
    """Seconds of what `span_text` writes, or of a number of seconds. InvalidInput names the field."""
    left, seconds = text.strip().lower(), 0
    if left.isdecimal():
        return int(left)
    for unit, length in _UNITS.items():
        number, found, rest = left.partition(unit)
        if found and number.isdecimal():
            seconds, left = seconds + int(number) * length, rest
    if left or not text.strip():
        raise InvalidInput(f"{text!r} is no span of time.", field=field, accepted=SPAN_ACCEPTED)
    return seconds
