"""Writes to a cluster that is being moved: what is refused, and which answers are not passed on."""

import time
from dataclasses import replace
from uuid import uuid4

import pytest
from django.utils import timezone

from clusters.freezing import GATEWAYS_KNOW_SECONDS
from gateway.answers import Refused
from gateway.freezing import answer_check, write_check
from gateway.resources import doing
from gateway.targets import Target
from gateway.whereabouts import Look, Whereabouts
from tests.gateway.callers import target

CLUSTER = uuid4()
WHY = "acme/shop/web is being moved to west; try again in a minute."
NAME = "acme/shop/web"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
POD = "/api/v1/namespaces/default/pods/web-0"
WRITE = doing("POST", CONFIG_MAPS, "")


def known(*targets: Target, ago: float = 0.0) -> Whereabouts:
    """After the database said this, one after the other, the last of it so long ago."""
    where = Whereabouts(CLUSTER)
    for number, each in enumerate(targets, start=1 - len(targets)):
        at = time.monotonic() - ago + number / 1000
        where.told(Look({CLUSTER: each}, at, at))
    return where


def moving() -> Target:
    return target(CLUSTER, phase="Migrating")


def frozen(before: Target) -> Target:
    return replace(before, frozen_at=timezone.now(), frozen_why=WHY)


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("POST", CONFIG_MAPS, ""),
        ("POST", CONFIG_MAPS, "dryRun=All"),
        ("PUT", f"{CONFIG_MAPS}/a", ""),
        ("PATCH", f"{POD}/status", ""),
        ("DELETE", f"{CONFIG_MAPS}/a", ""),
        ("DELETE", CONFIG_MAPS, ""),
        ("PUT", "/apis/apps/v1/namespaces/default/deployments/web/scale", ""),
        ("POST", f"{POD}/eviction", ""),
        ("POST", f"{POD}/binding", ""),
        ("POST", "/api/v1/namespaces/default/serviceaccounts/ci/token", ""),
        ("PUT", "/api/v1/namespaces/default/finalize", ""),
        ("POST", "/apis/certificates.k8s.io/v1/certificatesigningrequests", ""),
        ("POST", "/anything", ""),
    ],
)
def test_what_changes_the_state_is_refused_with_the_reason_and_to_be_sent_again(
    method: str, path: str, query: str
) -> None:
    with pytest.raises(Refused) as caught:
        write_check(known(frozen(moving())), doing(method, path, query), NAME)
    assert (caught.value.status, caught.value.retry_after, caught.value.why) == (503, 1, "frozen")
    assert caught.value.message == WHY


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", CONFIG_MAPS, ""),
        ("GET", CONFIG_MAPS, "watch=1"),
        ("HEAD", f"{CONFIG_MAPS}/a", ""),
        ("GET", f"{POD}/log", "follow=true"),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", ""),
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", ""),
        ("POST", f"{POD}/exec", "command=sh"),
        ("POST", f"{POD}/attach", ""),
        ("POST", f"{POD}/portforward", ""),
        ("POST", "/api/v1/namespaces/default/services/web/proxy/order", ""),
    ],
)
def test_what_reads_asks_or_connects_goes_on(method: str, path: str, query: str) -> None:
    what = doing(method, path, query)
    where = known(frozen(moving()))
    write_check(where, what, NAME)
    answer_check(where, uuid4(), what, 200, NAME)


def test_who_asks_ten_times_when_told_to_gets_over_a_freeze_of_25_seconds_and_never_waits_long_after_it() -> None:
    before, waited = moving(), 0
    for _ in range(10):
        with pytest.raises(Refused) as caught:
            write_check(known(before, frozen(before), ago=waited), WRITE, NAME)
        assert 1 <= (caught.value.retry_after or 0) <= max(1, waited / 3 + 1)
        waited += caught.value.retry_after or 0
    assert waited >= 25


def test_before_it_is_frozen_writes_go_on_as_long_as_that_is_known() -> None:
    write_check(known(moving()), WRITE, NAME)
    write_check(known(target(CLUSTER), ago=20), WRITE, NAME)
    with pytest.raises(Refused, match="database") as caught:
        write_check(known(moving(), ago=GATEWAYS_KNOW_SECONDS + 0.1), WRITE, NAME)
    assert (caught.value.status, caught.value.retry_after) == (503, 1)


def test_a_yes_that_may_be_later_than_the_last_copy_is_none() -> None:
    before = moving()
    sent_to = before.placement
    answer_check(known(before), sent_to, WRITE, 201, NAME)
    answer_check(known(before, frozen(before)), sent_to, WRITE, 201, NAME)
    late = known(before, frozen(before), ago=GATEWAYS_KNOW_SECONDS + 0.1)
    moved = known(before, replace(before, key=(uuid4(), 1)))
    unknown = known(before, ago=GATEWAYS_KNOW_SECONDS + 0.1)
    for where in (late, moved, unknown):
        with pytest.raises(Refused, match="Look whether it was done") as caught:
            answer_check(where, sent_to, WRITE, 201, NAME)
        assert (caught.value.status, caught.value.retry_after) == (500, None), "nobody repeats it unasked"


@pytest.mark.parametrize("status", [403, 404, 409, 422])
def test_a_no_of_where_it_was_is_to_be_sent_again(status: int) -> None:
    before = moving()
    for where in (known(before, frozen(before)), known(before, replace(before, key=(uuid4(), 1)))):
        with pytest.raises(Refused) as caught:
            answer_check(where, before.placement, WRITE, status, NAME)
        assert (caught.value.status, caught.value.retry_after) == (503, 1)
    answer_check(known(before), before.placement, WRITE, status, NAME)
    answer_check(known(target(CLUSTER)), before.placement, doing("GET", CONFIG_MAPS, ""), status, NAME)
