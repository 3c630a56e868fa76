"""Time, handed in, so that tests need not wait."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """The real one."""

    def now(self) -> datetime:
        """The time of day, with its zone."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only ever grow, for deadlines."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
