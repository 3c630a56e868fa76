"""Runs of the sweep, which nobody else is at."""

from datetime import datetime

from clusters.lifecycle.gathering import ReadSignals
from clusters.lifecycle.signals import signals_of
from clusters.models import CleanupRun
from clusters.services.cleanup import sweep


def ran(*, now: datetime, read_signals: ReadSignals = signals_of) -> CleanupRun:
    """One that is begun and ended now."""
    run = sweep(now=now, read_signals=read_signals)
    assert run is not None
    return run


def last_run() -> CleanupRun:
    """The newest."""
    return CleanupRun.objects.latest("started_at")
