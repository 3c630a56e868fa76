"""Spans of time as sentences say them: for people, and where a field is in seconds both."""

from typing import Final

_UNITS: Final = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def span_words(seconds: int) -> str:
    """Exactly so long, in words: "30 days", "1 hour 30 minutes", "0 seconds"; with a minus before the past."""
    if seconds < 0:
        return f"minus {span_words(-seconds)}"
    said, left = [], seconds
    for unit, length in _UNITS:
        count, left = divmod(left, length)
        if count:
            said.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return " ".join(said) or "0 seconds"


def spans_accepted(least: int, most: int) -> str:
    """What a field in seconds takes: "600 to 86400 seconds (10 minutes to 1 day)"."""
    return f"{least} to {most} seconds ({span_words(least)} to {span_words(most)})"
