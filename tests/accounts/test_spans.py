"""Spans in sentences are read by people: in words, and with seconds only where the field is in seconds."""

import pytest

from accounts.spans import span_words, spans_accepted


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (90, "1 minute 30 seconds"),
        (3600, "1 hour"),
        (5400, "1 hour 30 minutes"),
        (86400, "1 day"),
        (2592000, "30 days"),
        (2592001, "30 days 1 second"),
        (-3600, "minus 1 hour"),
    ],
)
def test_a_span_is_said_in_words_and_exactly(seconds, said):
    assert span_words(seconds) == said


def test_what_a_field_in_seconds_takes_is_said_both_ways():
    assert spans_accepted(600, 86400) == "600 to 86400 seconds (10 minutes to 1 day)"
