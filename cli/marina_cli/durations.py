"""Spans of time as people write and read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from marina_cli.text import word

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration_parse(text: str) -> int:
    """Seconds of `90`, `90s`, `30m`, `1h30m` or `7d`; ValueError for everything else."""
    if text.isdecimal():
        return int(text)
    if not re.fullmatch(r"(\d+[smhd])+", text):
        raise ValueError(text)
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([smhd])", text))


class Duration(click.ParamType[int]):
    """A click option given as `1h30m`, received as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Seconds; a number without a unit is seconds already."""
        if isinstance(value, int):
            return value
        try:
            return duration_parse(str(value).strip().lower())
        except ValueError:
            self.fail(f"{value!r} is no span of time. Accepted: 90s, 30m, 1h, 1h30m, 7d, or a number of seconds.")


DURATION = Duration()


def span(seconds: float) -> str:
    """A span in the unit that says most: `0.4 s`, `12 s`, `3 min`, `5 h`, `2 d`."""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds // 60:.0f} min"
    return f"{seconds // 3600:.0f} h" if seconds < 172800 else f"{seconds // 86400:.0f} d"


def span_exact(seconds: float) -> str:
    """A span as it is typed, nothing rounded away: `90s`, `1h30m`, `7d`."""
    left, parts = int(seconds), []
    for unit, length in reversed(UNITS.items()):
        number, left = divmod(left, length)
        parts += [f"{number}{unit}"] if number else []
    return "".join(parts) or "0s"


def time_parse(value: Any) -> datetime | None:
    """A time of the API; None where there is none or it cannot be read."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def age(value: Any, now: datetime) -> str:
    """How long ago a time of the API was, in whole seconds or more, or a dash."""
    moment = time_parse(value)
    if moment is None:
        return "-"
    seconds = max(0.0, (now - moment).total_seconds())
    return f"{seconds:.0f} s" if seconds < 10 else span(seconds)


def minute(value: Any) -> str:
    """A time of the API in the local time, to the minute; a dash where there is none, and as it is if it is no time."""
    moment = time_parse(value)
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else word(value)


def clock_time(value: Any, zone: str = "") -> str:
    """A time of the API to the minute, with the zone that it is told in: that one, else the local one."""
    moment = time_parse(value)
    if moment is None:
        return word(value)
    try:
        return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}" if zone else _local(moment)
    except (LookupError, ValueError, OSError):  # this machine does not know the zone
        return _local(moment)


def _local(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M %Z}"


def second(value: Any) -> str:
    """A time of the API in UTC, which its Z says, to the second; a dash where there is none."""
    moment = time_parse(value)
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}" if moment else word(value)
