"""The ways to many clusters: what is silent on one host takes nothing from another."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from threading import Event
from uuid import UUID, uuid4

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db import OperationalError

from gateway.unreachable import Unreachable
from gateway.upstreams import Upstreams
from provisioning.drivers.road import Road
from provisioning.engine.errors import TemporaryError
from tests.gateway.callers import target


def run(find_road: Callable[[UUID], Road], work: Callable[[Upstreams], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        upstreams = Upstreams(find_road)
        try:
            async with asyncio.timeout(20):
                await work(upstreams)
        finally:
            await upstreams.close()

    asyncio.run(all_of_it())


async def asked(upstreams: Upstreams, of) -> Unreachable:
    with pytest.raises(Unreachable) as caught:
        await upstreams.of(of).request(b"GET", b"/version", [], has_body=False)
    return caught.value


def test_ten_silent_hosts_with_many_clusters_each_hold_up_no_other_host() -> None:
    silent, over = {uuid4() for _ in range(10)}, Event()
    hosts: dict[UUID, UUID] = {}

    def find(placement: UUID) -> Road:
        if hosts[placement] in silent:
            over.wait(15)
        raise TemporaryError("The host says no.", code="unreachable")

    def on(host: UUID):
        made = replace(target(uuid4()), host_id=host)
        hosts[made.key[0]] = host
        return made

    async def work(upstreams: Upstreams) -> None:
        held = [asyncio.create_task(asked(upstreams, on(host))) for host in silent for _ in range(20)]
        await asyncio.sleep(0.1)
        began = time.monotonic()
        assert (await asked(upstreams, on(uuid4()))).reason == "unreachable"
        assert time.monotonic() - began < 1
        assert not any(each.done() for each in held)
        over.set()
        await asyncio.gather(*held)

    run(find, work)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OperationalError("gone"), "database"),
        (ObjectDoesNotExist(), "moved"),
        (TemporaryError("The pod is not ready.", code="not-ready"), "not-ready"),
        (TimeoutError(), "timeout"),
        (ConnectionRefusedError("refused"), "unreachable"),
    ],
)
def test_whatever_a_way_is_not_found_for_is_a_sentence(error: Exception, reason: str) -> None:
    def find(_: UUID) -> Road:
        raise error

    async def work(upstreams: Upstreams) -> None:
        told = await asked(upstreams, target(uuid4()))
        assert told.reason == reason
        assert told.message.endswith(".")

    run(find, work)


def test_a_cluster_that_is_elsewhere_now_has_another_way_and_many_requests_look_for_it_once() -> None:
    looked: list[UUID] = []

    def find(placement: UUID) -> Road:
        looked.append(placement)
        raise TemporaryError("Not yet.", code="not-ready")

    async def work(upstreams: Upstreams) -> None:
        here = target(uuid4())
        assert upstreams.of(here) is upstreams.of(here)
        await asyncio.gather(*(asked(upstreams, here) for _ in range(20)))
        assert looked == [here.key[0]]
        there = replace(here, key=(uuid4(), 1))
        before = upstreams.of(here)
        assert upstreams.of(there) is not before
        assert before.closed

    run(find, work)
