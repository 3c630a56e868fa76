"""Waves are numbers, then percent, each with those before it; every cluster is in just one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.errors import InvalidInput
from clusters.rollouts.waves import Amount, budget_of, budget_read, waves_read, waves_split


def sizes(texts: list[str], total: int) -> list[int]:
    waves = waves_split(waves_read(texts), total)
    return [waves.count(index) for index in range(waves[-1] + 1)] if waves else []


@pytest.mark.parametrize(
    ("texts", "total", "expected"),
    [
        ([], 200, [1, 19, 80, 100]),
        (["1", "10%", "50%", "100%"], 10, [1, 4, 5]),
        (["3"], 10, [3, 7]),
        (["5", "10%"], 20, [2, 3, 15]),
        (["100%"], 4, [4]),
        (["1", "50%"], 1, [1]),
        (["50"], 3, [3]),
    ],
)
def test_waves_are_as_people_count_them(texts, total, expected):
    assert sizes(texts, total) == expected


@given(
    st.lists(st.integers(1, 400), max_size=4, unique=True),
    st.lists(st.integers(1, 100), max_size=4, unique=True),
    st.integers(0, 300),
)
def test_every_cluster_has_one_wave_and_no_wave_is_empty(numbers, percents, total):
    texts = [*map(str, sorted(numbers)), *(f"{each}%" for each in sorted(percents))]
    waves = waves_split(waves_read(texts), total)
    assert len(waves) == total
    assert list(waves) == sorted(waves)
    assert set(waves) == set(range(len(set(waves))))


@pytest.mark.parametrize(
    ("texts", "field"),
    [
        (["one"], "waves[0]"),
        (["0"], "waves[0]"),
        (["101%"], "waves[0]"),
        (["-1"], "waves[0]"),
        (["10", "5"], "waves[1]"),
        (["10%", "10%"], "waves[1]"),
        (["10%", "20"], "waves[1]"),
        ([str(number) for number in range(1, 30)], "waves"),
    ],
)
def test_waves_that_do_not_grow_or_cannot_be_read_are_refused_by_their_place(texts, field):
    with pytest.raises(InvalidInput) as refused:
        waves_read(texts)
    assert refused.value.field == field
    assert refused.value.errors[0].accepted


def test_a_budget_is_a_number_or_percent_rounded_down():
    assert budget_of(budget_read("3"), 200) == 3
    assert budget_of(budget_read("5%"), 199) == 9
    assert budget_of(budget_read(""), 10) == 0
    assert str(Amount(5, percent=True)) == "5%"
    with pytest.raises(InvalidInput):
        budget_read("some")
