"""Numbers and names of what is moved, in words."""

from collections.abc import Sequence
from typing import Final

NAMED_MOST: Final = 5
_GIB: Final = 1024**3
_MIB: Final = 1024**2


def few(names: Sequence[str], most: int = NAMED_MOST) -> str:
    """The first of them, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def size_told(amount: int) -> str:
    """Bytes as people say it: "40 GiB"."""
    return f"{round(amount / _GIB, 1):g} GiB" if amount >= _GIB else f"{round(amount / _MIB, 1):g} MiB"


def counted_told(count: int, one: str, many: str = "") -> str:
    """ "1 claim", "3 claims"."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def seconds_told(seconds: float) -> str:
    """ "8 s", "2 min"."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
