"""How a host is, as its page in the admin tells it."""

import pytest
from django.utils import timezone

from clusters.admin.host_health import NAMESPACES_SHOWN, asked_in_words, breaker_in_words, capacity_in_words
from clusters.admin.words import NOTHING
from clusters.models import Breaker, HostCluster

GIB = 1024**3
NOW = timezone.now()


def asks(cpu: int, memory: int, pods: int) -> dict[str, int]:
    return {"cpu": cpu, "memory": memory, "pods": pods}


@pytest.mark.parametrize(
    ("breaker", "answered", "words"),
    [
        (Breaker.CLOSED, None, NOTHING),
        (Breaker.CLOSED, NOW, "answers"),
        (Breaker.OPEN, NOW, "does not answer since"),
        (Breaker.HALF_OPEN, NOW, "is tried again since"),
    ],
)
def test_whether_it_answers_is_a_label_with_words(breaker, answered, words):
    assert words in breaker_in_words(HostCluster(breaker=breaker, answered_at=answered, breaker_since=NOW))


def test_when_it_was_asked_is_told_as_far_as_it_was():
    assert asked_in_words(HostCluster()) == NOTHING
    assert "answered" not in asked_in_words(HostCluster(probed_at=NOW))


def test_capacity_is_told_as_a_sum_and_by_namespace_the_greatest_first():
    told = capacity_in_words(
        {
            "nodes": 3,
            "nodes_ready": 2,
            "allocatable": asks(8000, 16 * GIB, 220),
            "requested": asks(1250, GIB, 3),
            "requested_by_namespace": {"a": asks(250, GIB // 4, 1), "b": asks(1000, GIB // 4 * 3, 2)},
            "left_out": ["pods in <c>: forbidden"],
        }
    )
    first, second, third, fourth, last = str(told).replace("\xa0", " ").split("<br>")
    assert first == "2 of 3 nodes take pods"
    assert second == "CPU 1.25 of 8, memory 1.0 GB of 16.0 GB, pods 3 of 220"
    assert (third[:2], fourth[:2]) == ("b:", "a:")
    assert last == "Not counted: pods in &lt;c&gt;: forbidden"


@pytest.mark.parametrize("capacity", [{}, {"nodes": 3}, {"nodes": 1, "allocatable": [{"cpu": "4"}]}])
def test_where_nothing_was_counted_yet_nothing_is_told(capacity):
    assert capacity_in_words(capacity) == NOTHING


def test_a_host_with_many_namespaces_is_told_in_a_few_lines():
    spaces = {f"n-{number}": asks(1, 1, 1) for number in range(100)}
    told = capacity_in_words({"requested": asks(100, 100, 100), "requested_by_namespace": spaces})
    assert f"and {100 - NAMESPACES_SHOWN} namespaces more" in told
