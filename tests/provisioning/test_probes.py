"""Hosts are asked whether they are there: all at once, none twice, and nobody waits for those that say nothing."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clusters.connection import HostConnection
from clusters.models import Breaker, HostCluster, HostCredential, HostPhase
from dev.waiting import wait_until
from provisioning.probes import CONNECT_SECONDS, READ_SECONDS, Prober, probe_claim
from tests.clusters.making import host_row
from tests.engine.conftest import at_once
from tests.provisioning.drivers.conftest import connection_of
from tests.provisioning.drivers.fault_servers import answering, certificate_pem, connection_to, serving, silent
from tests.provisioning.hosts import condition, fresh, host_at, hosts_at, standing

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


def http(status: int, body: dict[str, Any]) -> bytes:
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


def test_two_hundred_hosts_of_which_a_tenth_is_silent_take_one_round_of_few_statements(prober, kubernetes):
    with serving(silent) as port:
        mute = hosts_at(connection_to(port), 20, prefix="mute")
        well = hosts_at(kubernetes, 180, prefix="well")
        with CaptureQueriesContext(connection) as statements:
            started = time.monotonic()
            assert prober.round() == 200
            took = time.monotonic() - started
    assert took < 15
    assert HostCluster.objects.filter(pk__in=[host.pk for host in well], answered_at__isnull=False).count() == 180
    assert [standing(host)["Reachable"] for host in mute] == ["False"] * 20
    # by the batch for what is well, by the host for what has to be counted
    assert len([each for each in statements if "UPDATE" in each["sql"]]) < 20 * 3 + 40


def test_rounds_at_once_share_the_hosts_and_ask_none_twice(db, tmp_path):
    asked = []
    answer = answering(version("1.36.3"), folder=tmp_path)

    def counted(connection) -> None:
        asked.append(connection)
        answer(connection)

    with serving(counted) as port:
        hosts_at(connection_to(port), 100, prefix="host")
        probers = [Prober(), Prober()]
        rounds = at_once(2, lambda number: probers[number].round())
        for each in probers:
            each.close()
    assert sum(rounds) == len(asked) == 100


def test_another_is_called_when_there_are_more_hosts_than_threads(prober, kubernetes):
    calls: list[int] = []
    hosts_at(kubernetes, 70, prefix="host")
    assert prober.round(more=lambda: calls.append(1)) == 70
    assert len(calls) == 1


def test_a_host_that_is_still_waited_for_is_not_asked_again_however_fast_rounds_come(prober):
    called = threading.Event()
    asked = []

    def mute(connection) -> None:
        asked.append(connection)
        called.set()
        silent(connection)

    with serving(mute) as port:
        host = host_at(connection_to(port))
        first = threading.Thread(target=in_thread, args=(prober.round,))
        first.start()
        assert called.wait(timeout=10)
        due(host)
        assert prober.round() == 0
        first.join(timeout=30)
    assert len(asked) == 1


def test_a_host_is_asked_once_in_a_round_and_again_when_its_time_has_come(settings):
    settings.PROBE_SECONDS = 30
    host = host_row()
    assert probe_claim() == [host]
    assert probe_claim() == []
    due(host)
    assert probe_claim() == [host]


def test_what_is_not_connected_or_has_no_credential_is_not_asked():
    host_row("failed", phase=HostPhase.FAILED)
    HostCredential.objects.filter(host=host_row("erased")).update(ciphertext=None)
    assert probe_claim() == []


@pytest.mark.parametrize(("status", "reason"), [(401, "Unauthorized"), (403, "Forbidden")])
def test_a_host_that_refuses_the_credential_is_there_but_takes_nothing(prober, tmp_path, status, reason):
    with host_saying(http(status, {"message": "no", "reason": reason}), tmp_path) as connection:
        host = host_at(connection, failures=1)
        prober.round()
    assert standing(host) == WELL | {"Authorized": "False", "Schedulable": "False"}
    assert condition(host, "Authorized")["reason"] == reason
    assert condition(host, "Schedulable")["reason"] == "CredentialRefused"
    seen = fresh(host)
    assert (seen.breaker, seen.failures) == (Breaker.CLOSED, 1)
    assert seen.answered_at is not None


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (http(500, {"message": "etcd is gone"}), "ServerError"),
        (http(200, {})[:-2], "Unreachable"),
        (b"", "Unreachable"),
    ],
    ids=["500", "cut", "nothing"],
)
def test_a_host_that_cannot_serve_is_not_reachable_and_the_reason_is_told(prober, tmp_path, answer, reason):
    with host_saying(answer + b"", tmp_path) as connection:
        host = host_at(connection)
        prober.round()
    assert standing(host) == AWAY
    assert condition(host, "Reachable")["reason"] in (reason, "Timeout")


def test_a_host_with_another_certificate_and_one_that_refuses_connections_are_not_reachable(prober, tmp_path):
    with host_saying(version("1.36.3"), tmp_path) as connection:
        wrong = HostConnection(server=connection.server, ca_pem=certificate_pem("127.0.0.2")[0], token="x")
        stranger = host_at(wrong, "stranger")
        prober.round()
        due(stranger)
    gone = host_at(connection, "gone")
    prober.round()
    assert (condition(stranger, "Reachable")["status"], standing(gone)) == ("False", AWAY)
    assert "refused" in condition(gone, "Reachable")["message"]


def test_one_that_never_comes_to_the_end_of_its_answer_is_given_up(tmp_path):
    ended = threading.Event()

    def dripping(connection) -> None:
        while not ended.wait(0.2):
            connection.sendall(b"x")

    prober = Prober(patience=2)
    with serving(dripping) as port:
        host = host_at(connection_to(port))
        prober.round()
        ended.set()
    prober.close()
    assert standing(host)["Reachable"] == "False"


def test_the_breaker_opens_after_failures_in_a_row_and_nothing_is_placed_there(prober, settings):
    settings.BREAKER_FAILURES = 2
    with serving(silent) as port:
        host = host_at(connection_to(port))
        seen = []
        for _ in range(2):
            prober.round()
            seen.append((fresh(host).breaker, standing(host)["Schedulable"]))
            due(host)
    assert seen == [(Breaker.CLOSED, "True"), (Breaker.OPEN, "False")]
    assert condition(host, "Schedulable")["reason"] == "DoesNotAnswer"


def test_a_host_that_is_back_is_tried_and_then_trusted(prober, kubernetes):
    host = host_at(kubernetes, breaker=Breaker.OPEN, failures=5)
    seen = []
    for _ in range(2):
        prober.round()
        seen.append((fresh(host).breaker, standing(host) == WELL))
        due(host)
    assert seen == [(Breaker.HALF_OPEN, True), (Breaker.CLOSED, True)]
    assert fresh(host).failures == 0


def test_conditions_move_their_time_only_with_their_status_and_what_is_the_same_is_not_written(tmp_path):
    times = [timezone.now() + timedelta(minutes=minute) for minute in range(3)]
    clock = iter(times)
    prober = Prober(clock=lambda: next(clock))
    with host_saying(version("1.36.3"), tmp_path) as connection_:
        host = host_at(connection_)
        prober.round()
        due(host)
        before = fresh(host).conditions
        with CaptureQueriesContext(connection) as statements:
            prober.round()
        assert fresh(host).conditions == before
        updates = [each["sql"] for each in statements if each["sql"].startswith("UPDATE")]
        assert not [sql for sql in updates if '"conditions"' in sql]
    due(host)
    prober.round()
    prober.close()
    moved = {each["type"]: each["last_transition_time"] for each in fresh(host).conditions}
    assert moved == {
        "Reachable": times[2].isoformat(),
        "Authorized": times[2].isoformat(),
        "VersionSupported": times[0].isoformat(),
        "Schedulable": times[0].isoformat(),
    }


def test_what_connecting_found_out_about_permissions_is_not_talked_over(prober, kubernetes):
    told = {"type": "Authorized", "status": "True", "reason": "Connected", "message": "Marina has every permission."}
    told["last_transition_time"] = timezone.now().isoformat()
    host = host_at(kubernetes, conditions=[told])
    prober.round()
    assert condition(host, "Authorized") == told


def test_no_connection_is_kept_open_between_probes(prober, tmp_path):
    closed = threading.Event()
    answer = answering(version("1.36.3"), folder=tmp_path)

    def watched(connection) -> None:
        answer(connection)  # returns when the other side has closed it
        closed.set()

    with serving(watched) as port:
        host_at(connection_to(port))
        prober.round()
        assert closed.wait(timeout=5)


def test_who_is_told_to_stop_asks_no_other_host(prober):
    host = host_row()
    assert prober.round(stopping=lambda: True) == 0
    assert probe_claim() == [host]
