"""Spans of time as people write and read them: nothing is rounded away."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.errors import InvalidInput
from clusters.lifecycle.spans import span_read, span_text


@given(st.integers(0, 10**9))
def test_what_is_written_is_read_again(seconds):
    assert span_read(span_text(seconds), field="by") == seconds


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (86400, "1d"),
        (129600, "1d12h"),
        (5400, "1h30m"),
        (0, "0s"),
        (timedelta(days=7), "7d"),
        (39599, "10h59m59s"),
        (-5, "-5s"),
    ],
)
def test_a_span_is_written_as_it_is_typed(span, text):
    assert span_text(span) == text


@pytest.mark.parametrize("text", ["", " ", "soon", "7", "7 d", "d", "1h2d", "-1d", "1.5h", "7d,"])
def test_what_is_no_span_is_refused_by_its_field(text):
    if text.isdecimal():
        assert span_read(text, field="by") == int(text)
        return
    with pytest.raises(InvalidInput) as refused:
        span_read(text, field="by")
    assert refused.value.field == "by"
