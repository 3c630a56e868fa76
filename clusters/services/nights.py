"""One night of one cluster: its next time to sleep is left out or comes later, for itself or for its whole project.

These change rows that somebody has locked, and leave saving them to whom it is.
"""

from datetime import datetime, timedelta

from clusters.lifecycle.times import cron_next
from clusters.models import SleepSchedule, VirtualCluster


def put_off_forget(row: VirtualCluster) -> None:
    """That time has come, or another one counts."""
    row.sleep_skipped_at = row.sleep_postponed_at = None
    row.sleep_put_off_by, row.sleep_put_off_for_project = "", False


def put_off_now(row: VirtualCluster, now: datetime) -> bool:
    """Whether its next time to sleep is left out or moved, and has not come yet."""
    skipped = row.sleep_skipped_at is not None and row.sleep_skipped_at > now
    return skipped or row.sleep_postponed_at is not None


def put_off_take_back(row: VirtualCluster, now: datetime) -> None:
    """It sleeps as its schedule says again."""
    if not put_off_now(row, now):
        return
    row.next_sleep_at = row.sleep_postponed_at or row.sleep_skipped_at
    put_off_forget(row)


def night_skip(row: VirtualCluster, schedule: SleepSchedule, *, by: str, for_project: bool = False) -> None:
    """Leaves its next time out; one that was postponed is left out with the one that it came from."""
    planned = row.next_sleep_at
    assert planned is not None  # noqa: S101 - whoever calls looks for one that is to sleep
    row.sleep_skipped_at, row.sleep_postponed_at = planned, None
    row.next_sleep_at = cron_next(schedule.sleep_cron, schedule.time_zone, planned)
    row.sleep_put_off_by, row.sleep_put_off_for_project = by[:160], for_project


def night_postpone(row: VirtualCluster, seconds: int, *, by: str, for_project: bool = False) -> None:
    """Moves its next time."""
    planned = row.next_sleep_at
    assert planned is not None  # noqa: S101 - as above
    row.sleep_postponed_at, row.next_sleep_at = planned, planned + timedelta(seconds=seconds)
    row.sleep_put_off_by, row.sleep_put_off_for_project = by[:160], for_project


def seconds_latest(schedule: SleepSchedule, planned: datetime) -> int:
    """Seconds from a time to sleep to whatever comes next: to wake, or to sleep again."""
    crons = (cron for cron in (schedule.sleep_cron, schedule.wake_cron) if cron)
    following = [at for cron in crons if (at := cron_next(cron, schedule.time_zone, planned)) is not None]
    return int((min(following) - planned).total_seconds()) if following else 86400


# --- what stands in a project's schedule, for clusters that come to it before the night -------------------------------


def project_night_forget(schedule: SleepSchedule) -> None:
    """The times before do not count any more."""
    schedule.skipped_at = schedule.postponed_at = schedule.postponed_to = None
    schedule.put_off_by = ""


def project_night_follow(row: VirtualCluster, schedule: SleepSchedule) -> None:
    """A cluster whose times were just found by its project's schedule does tonight what its project does."""
    if row.next_sleep_at is None:
        return
    if row.next_sleep_at == schedule.skipped_at:
        night_skip(row, schedule, by=schedule.put_off_by, for_project=True)
    elif row.next_sleep_at == schedule.postponed_at and schedule.postponed_to is not None:
        seconds = int((schedule.postponed_to - schedule.postponed_at).total_seconds())
        night_postpone(row, seconds, by=schedule.put_off_by, for_project=True)
