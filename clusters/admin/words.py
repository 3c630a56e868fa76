"""Lists of the database's JSON as people read them."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import Truncator
from unfold.utils import display_for_label

NOTHING = "—"
_STATUS = {"True": "yes", "False": "no", "Unknown": "not known"}
_MARKS = {"done": "✓", "current": "▶", "failed": "✗", "waiting": "·"}

_BAD_WHEN_TRUE = frozenset({"CredentialExpiring"})
_WARNING_CHARACTERS = 80
_COLOURS: Final = {
    **dict.fromkeys(("Ready", "Connected", "Succeeded"), "success"),
    **dict.fromkeys(("Failed", "Error"), "danger"),
    **dict.fromkeys(("Asleep", "Deleted", "Aborted"), ""),
}
"""Of the words at rest, and of trouble; any other word tells of work under way."""


def label(word: str) -> SafeString:
    """A phase or a state as a coloured label; the word itself is always there to read."""
    return SafeString(display_for_label(word, NOTHING, {word: _COLOURS.get(word, "warning")}))


def warnings_in_words(conditions: Iterable[Mapping[str, Any]]) -> str:
    """What is not as it should be, each with its sentence, shortened."""
    return "; ".join(_warning(each) for each in conditions if _warns(each)) or NOTHING


def _warns(condition: Mapping[str, Any]) -> bool:
    return bool(condition["status"] == ("True" if condition["type"] in _BAD_WHEN_TRUE else "False"))


def _warning(condition: Mapping[str, Any]) -> str:
    what = condition["type"] if condition["type"] in _BAD_WHEN_TRUE else f"not {condition['type']}"
    message = Truncator(condition["message"]).chars(_WARNING_CHARACTERS)
    return f"{what}: {message}" if message else what


def conditions_in_words(conditions: Iterable[Mapping[str, Any]]) -> SafeString | str:
    """One line a condition: what, whether, why, since when."""
    return _lines(
        format_html(
            "<b>{}</b>: {}. {} <i>(since {})</i>",
            each["type"],
            _STATUS.get(each["status"], each["status"]),
            each["message"],
            time_in_words(each["last_transition_time"]),
        )
        for each in conditions
    )


def timeline(steps: Iterable[Mapping[str, Any]]) -> SafeString | str:
    """One line a step: its mark, its sentence, how long it took, what it noted."""
    return _lines(
        format_html(
            "{} <b>{}</b> {} {}",
            _MARKS.get(step["state"], "?"),
            step["name"],
            _duration(step),
            step.get("note", ""),
        )
        for step in steps
    )


def _duration(step: Mapping[str, Any]) -> str:
    if "started_at" not in step:
        return ""
    started = datetime.fromisoformat(step["started_at"])
    if "finished_at" not in step:
        return f"since {started:%Y-%m-%d %H:%M:%S} UTC"
    return f"{(datetime.fromisoformat(step['finished_at']) - started).total_seconds():.1f} s"


def time_in_words(text: str) -> str:
    """To the minute, in UTC."""
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"


def as_json(value: Any) -> SafeString | str:
    """Indented, to be read."""
    return (
        format_html(
            '<pre style="white-space: pre-wrap; overflow-wrap: anywhere">{}</pre>',
            json.dumps(value, indent=2, sort_keys=True),
        )
        if value
        else NOTHING
    )


def breaking(text: str) -> SafeString:
    """A long word, broken wherever the screen ends."""
    return format_html('<span style="overflow-wrap: anywhere">{}</span>', text)


def lines_of(texts: Iterable[str]) -> SafeString | str:
    """Each on a line of its own, escaped; a long word is broken where the screen ends."""
    return _lines(breaking(text) for text in texts)


def _lines(lines: Iterable[SafeString]) -> SafeString | str:
    return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in lines)) or NOTHING
