"""Hosts are asked whether they are there: all at once, none twice, and nobody waits for those that say nothing."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from clusters.connection import HostConnection
from clusters.models import Breaker, HostCluster
from dev.waiting import wait_until
from provisioning.probes import CONNECT_SECONDS, READ_SECONDS, Prober
from tests.provisioning.drivers.conftest import connection_of
from tests.provisioning.drivers.fault_servers import answering, connection_to, serving, silent
from tests.provisioning.hosts import condition, fresh, host_at, standing

pytestmark = pytest.mark.django_db(transaction=True)

WELL = {"Reachable": "True", "Authorized": "True", "VersionSupported": "True", "Schedulable": "True"}
AWAY = WELL | {"Reachable": "False", "Authorized": "Unknown"}


@pytest.fixture
def prober() -> Iterator[Prober]:
    prober = Prober()
    yield prober
    prober.close()


@pytest.fixture
def kubernetes(local_hosts) -> HostConnection:
    """A real API server."""
    return connection_of(local_hosts["harbor-east"].kubeconfig)


def http(status: int, body: dict) -> bytes:
    text = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    return head.encode() + text


def version(text: str) -> bytes:
    return http(200, {"gitVersion": f"v{text}"})


@contextmanager
def host_saying(answer: bytes, folder: Path) -> Iterator[HostConnection]:
    """An API server that answers everything with the same."""
    with serving(answering(answer, folder=folder)) as port:
        yield connection_to(port)


def due(*hosts: HostCluster) -> None:
    """As if it were time for the next round."""
    rows = HostCluster.objects.filter(pk__in=[host.pk for host in hosts])
    rows.update(probed_at=timezone.now() - timedelta(hours=1))


def test_a_host_that_answers_is_reachable_and_its_version_is_noted(prober, kubernetes):
    host = host_at(kubernetes, kubernetes_version="1.2.3", failures=1)
    assert prober.round() == 1
    assert standing(host) == WELL
    seen = fresh(host)
    assert seen.kubernetes_version.startswith("1.36.")
    assert (seen.failures, seen.breaker) == (0, Breaker.CLOSED)
    assert seen.answered_at is not None
    assert seen.answered_at == seen.probed_at


def test_a_silent_host_keeps_its_round_no_longer_than_its_timeouts_and_others_are_noted_meanwhile(prober, kubernetes):
    with serving(silent) as port:
        mute, well = host_at(connection_to(port), "mute"), host_at(kubernetes, "well")
        started = time.monotonic()
        at_work = threading.Thread(target=in_thread, args=(prober.round,))
        at_work.start()
        wait_until(lambda: fresh(well).answered_at is not None, seconds=2.5, what="The other is not noted")
        assert standing(mute) == {}
        at_work.join(timeout=30)
        assert time.monotonic() - started < CONNECT_SECONDS + READ_SECONDS + 1.5
    assert standing(mute) == AWAY
    assert "did not answer in time" in condition(mute, "Reachable")["message"]
    assert (standing(well), fresh(mute).failures) == (WELL, 1)


def in_thread(do) -> None:
    try:
        do()
    finally:
        connection.close()
