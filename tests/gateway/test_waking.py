"""Whose requests wake a cluster that is asleep, and what the others are told."""

import re
from dataclasses import dataclass
from uuid import uuid4

import h11
import pytest
from django.conf import settings

from gateway.heads import Head, head_read
from gateway.polling import REPEATED_SECONDS
from gateway.resources import doing
from gateway.waking import HOLD_SECONDS, RETRY_AFTER, WakeRules, not_served
from tests.gateway.callers import target

PODS = "/api/v1/namespaces/default/pods"
KUBECTL = "kubectl/v1.36.3 (linux/amd64) kubernetes/abcdef"


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Asking:
    """The rules as they are by default, and somebody who asks."""

    rules: WakeRules
    clock: Clock

    def wakes(self, agent: str, path: str = PODS, *, method: str = "GET", who: str = "jane") -> bool:
        what = doing(method, path.partition("?")[0], path.partition("?")[2])
        return self.rules.waking(request(agent, path, method), what, who, now=self.clock)


def request(agent: str, path: str, method: str = "GET") -> Head:
    raw = f"{method} {path} HTTP/1.1\r\nHost: a\r\nUser-Agent: {agent}\r\n\r\n"
    return head_read(raw.encode(), h11.Connection(h11.SERVER))


@pytest.fixture
def asking() -> Asking:
    return Asking(WakeRules(re.compile(settings.GATEWAY_WAKES), re.compile(settings.GATEWAY_NEVER_WAKES)), Clock())


@pytest.mark.parametrize("agent", [KUBECTL, "Helm/3.19.2", "helm/v4"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_people_and_ci_wake_with_any_verb(asking: Asking, agent: str, method: str) -> None:
    assert asking.wakes(agent, method=method)


@pytest.mark.parametrize(
    "agent",
    [
        "k9s/v0.50.6 (linux/amd64) kubernetes/abc",
        "argocd-application-controller/v3.0.0",
        "argo-cd/v3",
        "kustomize-controller/v1.5 (flux)",
        "flux/v2.5.0",
        "Prometheus/3.0",
        "OpenLens/6.5",
        "kubectl/v1.36.3 via k9s",
        "Mozilla/5.0",
        "",
    ],
)
def test_what_only_looks_never_wakes(asking: Asking, agent: str) -> None:
    assert not asking.wakes(agent)
    assert not asking.wakes(agent, method="POST")


def test_watches_do_not_wake(asking: Asking) -> None:
    assert not asking.wakes(KUBECTL, f"{PODS}?watch=1")
    assert not asking.wakes(KUBECTL, "/api/v1/watch/pods")


def test_a_list_that_is_repeated_at_an_interval_does_not_wake_and_one_that_was_told_to_come_again_does(
    asking: Asking,
) -> None:
    assert asking.wakes(KUBECTL)
    asking.clock.now += HOLD_SECONDS + RETRY_AFTER
    assert asking.wakes(KUBECTL), "kubectl comes again by itself, as it was told"
    asking.clock.now += 60
    assert not asking.wakes(KUBECTL), "every minute the same: a poll"
    assert asking.wakes(KUBECTL, who="john")
    assert asking.wakes(KUBECTL, PODS + "?labelSelector=a")
    assert asking.wakes(KUBECTL, PODS + "/web-0"), "one object is not a list"
    asking.clock.now += REPEATED_SECONDS + 1
    assert asking.wakes(KUBECTL)


def test_a_list_that_comes_every_ten_minutes_wakes_until_that_is_known(asking: Asking) -> None:
    woken = []
    for _ in range(8):
        woken.append(asking.wakes(KUBECTL))
        asking.clock.now += 600
    assert woken == [True] * 4 + [False] * 4


def test_who_does_not_wake_is_told_the_command_that_does() -> None:
    asleep = target(uuid4(), phase="Asleep", served=False, sentence="is asleep")
    told = not_served(asleep, "acme/shop/web", waking=False)
    assert (told.status, told.retry_after) == (503, None)
    assert "marina wake web -p acme/shop" in told.message
    held = not_served(asleep, "acme/shop/web", waking=True)
    assert (held.status, held.retry_after) == (503, 5)


@pytest.mark.parametrize(
    ("phase", "sentence"), [("Waking", "is waking up"), ("Migrating", "is being moved to another host")]
)
def test_a_cluster_that_is_changing_says_what_it_is_at(phase: str, sentence: str) -> None:
    told = not_served(target(uuid4(), phase=phase, served=False, sentence=sentence), "acme/shop/web", waking=True)
    assert told.message == f"acme/shop/web {sentence}; it will answer soon."
    assert told.retry_after == RETRY_AFTER


def test_however_much_is_asked_for_little_of_it_is_remembered(asking: Asking) -> None:
    for number in range(10_100):
        asking.wakes(KUBECTL, f"{PODS}?labelSelector={number}")
    assert len(asking.rules.polls.seen) == 10_000
    assert all(len(key) == 32 for key in asking.rules.polls.seen)
