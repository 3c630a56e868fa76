"""Which requests through the gateway say that somebody uses a cluster, and which are polls of tools."""

import re
from dataclasses import dataclass, field

import pytest
from django.conf import settings

from gateway.polling import REPEATED_SECONDS, STEADY_SECONDS, PollRule, is_use
from gateway.resources import doing

PODS = "/api/v1/namespaces/default/pods"
KUBECTL = "kubectl/v1.36.3 (linux/amd64) kubernetes/abcdef"
TOOLS = [
    "k9s/v0.50.6 (linux/amd64) kubernetes/abc",
    "OpenLens/6.5",
    "argocd-application-controller/v3.0.0",
    "flux/v2.5.0",
    "Prometheus/3.0",
]


@dataclass
class Books:
    """The rule as books have it, and a clock."""

    rule: PollRule = field(default_factory=lambda: PollRule(re.compile(settings.GATEWAY_NEVER_WAKES)))
    now: float = 1000.0

    def used(
        self, agent: str, path: str = PODS, *, method: str = "GET", who: str = "jane", person: bool = True
    ) -> bool:
        what = doing(method, path.partition("?")[0], path.partition("?")[2])
        polls = self.rule.polls(agent, what, who=who, target=path.encode(), person=person, now=self.now)
        return is_use(what, polls=polls)


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
@pytest.mark.parametrize("person", [True, False])
def test_what_people_and_ci_read_and_change_is_use(books: Books, method: str, person: bool) -> None:
    assert books.used(KUBECTL, method=method, person=person)
    assert books.used("my-own-tool/1", method=method, person=person), "whatever it calls itself"
    assert books.used("", PODS + "/web-0", method=method, person=person)


@pytest.mark.parametrize("agent", TOOLS)
def test_what_tools_look_at_is_no_use_and_what_people_change_by_them_is(books: Books, agent: str) -> None:
    assert not books.used(agent)
    assert not books.used(agent, PODS + "/web-0")
    assert books.used(agent, PODS + "/web-0", method="DELETE")
    assert not books.used(agent, PODS + "/web-0", method="PATCH", person=False), "a controller outside"


def test_a_watch_is_no_use_and_a_shell_in_a_pod_is(books: Books) -> None:
    assert not books.used(KUBECTL, PODS + "?watch=1")
    assert books.used(KUBECTL, PODS + "/web-0/exec?command=sh")
    assert books.used(KUBECTL, PODS + "/web-0/log?follow=true")


@pytest.mark.parametrize("path", ["/version", "/readyz", "/api", "/apis", "/openapi/v3", "/apis/apps/v1"])
def test_asking_whether_it_is_there_and_what_it_serves_is_no_use(books: Books, path: str) -> None:
    assert not books.used(KUBECTL, path)


def test_the_same_list_again_and_again_is_used_once(books: Books) -> None:
    used = []
    for _ in range(30):
        used.append(books.used(KUBECTL))
        books.now += 2
    assert used == [True] + [False] * 29
    assert books.used(KUBECTL, PODS + "?labelSelector=a")
    assert books.used(KUBECTL, who="john")
    assert books.used(KUBECTL, PODS + "/web-0"), "one object is not a list"


def test_somebody_who_comes_back_after_a_while_is_there(books: Books) -> None:
    assert books.used(KUBECTL)
    books.now += REPEATED_SECONDS + 1
    assert books.used(KUBECTL)
    books.now += 17 * 60
    assert books.used(KUBECTL)


def test_a_list_at_a_steady_interval_is_a_poll_once_that_is_seen_and_until_the_interval_breaks(books: Books) -> None:
    used = []
    for _ in range(10):
        used.append(books.used("my-monitoring/1"))
        books.now += 300
    assert used == [True] * 4 + [False] * 6
    books.now += 8 * 60
    assert books.used("my-monitoring/1")


def test_once_a_day_is_no_poll_however_steady(books: Books) -> None:
    for _ in range(10):
        assert books.used(KUBECTL, person=False)
        books.now += max(86_400, STEADY_SECONDS + 1)


def test_however_much_is_asked_for_little_is_remembered(books: Books) -> None:
    for number in range(10_100):
        books.used("x" * 10_000, f"{PODS}?labelSelector={number}")
    assert len(books.rule.seen) == 10_000
    assert all(len(key) == 32 and len(times) <= 5 for key, times in books.rule.seen.items())
