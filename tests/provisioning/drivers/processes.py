"""What the kernel says about processes, and waiting for it with a deadline."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

PROC = Path("/proc")


def until(holds: Callable[[], object], seconds: float = 10) -> None:
    """AssertionError if it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def _stat(pid: int) -> list[str]:
    """State, parent's pid and so on; empty for a process that is gone."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def gone(pid: int) -> bool:
    return _stat(pid)[:1] in ([], ["Z"])


def parent_of(pid: int) -> int:
    return int(_stat(pid)[1])


def children_of(pid: int) -> list[int]:
    """All of them, and theirs."""
    everybody = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]
    own = [other for other in everybody if _stat(other)[1:2] == [str(pid)]]
    return own + [deeper for child in own for deeper in children_of(child)]


def nothing_more_open(before: tuple[int, int]) -> None:
    """Waits until there are no more of them than `before`: threads of others may be on their way out."""
    until(lambda: all(now <= then for now, then in zip(left_open(), before, strict=True)))


def left_open() -> tuple[int, int]:
    """Descriptors and threads of this process."""
    return len(list((PROC / "self" / "fd").iterdir())), threading.active_count()
