"""Cron in a time zone: when it comes next, when it came last, and what is wrong with what somebody wrote.

As Debian's cron does it: a time that a night leaves out when clocks go forward comes at the end of the gap, one that
comes twice when clocks go back comes the first time only. The library is cronsim.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError

from accounts.errors import InvalidInput

CRON_ACCEPTED: Final = (
    "five fields (minute, hour, day of month, month, day of week), such as `0 20 * * MON-FRI` for 20:00 on weekdays"
)
ZONE_ACCEPTED: Final = "a name of the time zone database, such as Europe/Berlin or UTC"
_FIELDS: Final = 5
_TIMES: Final = 100
"""So many in a row are looked at for how close they are: with minutes, more than a day's of every hour."""
_SPRING: Final = timedelta(hours=3)
"""More than any clock is ever turned by."""


def cron_check(cron: str, *, field: str, time_zone: str) -> None:
    """Raises InvalidInput naming the field where it cannot be read, and where its time never comes."""
    if len(cron.split()) != _FIELDS:
        raise InvalidInput(f"{cron!r} cannot be read as a time.", field=field, accepted=CRON_ACCEPTED)
    try:
        found = cron_next(cron, time_zone, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        if _each_field_is_fine(cron):
            raise _never(cron, field) from None
        raise InvalidInput(
            f"{cron!r} cannot be read as a time: {str(error).lower()}.", field=field, accepted=CRON_ACCEPTED
        ) from None
    if found is None:
        raise _never(cron, field)


def cron_seldom_check(cron: str, *, field: str, least: timedelta, accepted: str) -> None:
    """Raises InvalidInput where two times that it names, which can be read, are closer together than that."""
    found = [moment for moment, _ in zip(CronSim(cron, datetime(2026, 1, 1)), range(_TIMES), strict=False)]
    if any(later - earlier < least for earlier, later in pairwise(found)):
        raise InvalidInput(f"{cron!r} comes too often.", field=field, accepted=accepted)


def _never(cron: str, field: str) -> InvalidInput:
    return InvalidInput(f"{cron!r} never comes: no month has such a day.", field=field, accepted="a day that exists")


def _each_field_is_fine(cron: str) -> bool:
    """The library refuses days that no month has; then day and month can be read apart."""
    parts = cron.split()
    apart = (" ".join([*parts[:2], "*", *parts[3:]]), " ".join([*parts[:3], "*", parts[4]]))
    try:
        for each in apart:
            CronSim(each, datetime(2026, 1, 1))
    except CronSimError:
        return False
    return True


def zone_check(name: str, *, field: str = "time_zone") -> None:
    """Raises InvalidInput for a time zone that nobody knows."""
    if name not in available_timezones():
        raise InvalidInput(f"There is no time zone {name!r}.", field=field, accepted=ZONE_ACCEPTED)


def zone(name: str) -> ZoneInfo:
    """The time zone; UTC where a newer database no longer has one that was accepted."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def cron_next(cron: str, time_zone: str, after: datetime) -> datetime | None:
    """The first time after that moment, in UTC; None where there is none."""
    for found in CronSim(cron, after.astimezone(zone(time_zone))):
        moment = found.astimezone(UTC)
        if moment > after:  # in the hour that comes twice the library looks at the clock on the wall
            return moment
    return None


def cron_last(cron: str, time_zone: str, until: datetime) -> datetime | None:
    """The last time up to and with that moment, in UTC; None where there is none."""
    return next((moment for moment in _backwards(cron, time_zone, until + _SPRING) if moment <= until), None)


def _backwards(cron: str, time_zone: str, start: datetime) -> Iterator[datetime]:
    for found in CronSim(cron, start.astimezone(zone(time_zone)), reverse=True):
        yield found.astimezone(UTC)
