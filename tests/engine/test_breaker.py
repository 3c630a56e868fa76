"""Operations of a host that is away wait for it, without a worker and without an attempt, and go on when it is back."""

import pytest
from django.utils import timezone

from clusters.encryption import connection_encrypt
from clusters.models import Breaker, HostCluster, OperationKind
from localkube.ports import free_ports
from provisioning.engine.breaker import host_answered, host_failed, host_trusted
from provisioning.engine.errors import TemporaryError
from provisioning.engine.flow import Wait
from tests.clusters.making import host_row, operation_row
from tests.engine.conftest import events, fresh
from tests.engine.test_slots import held, on, waits
from tests.provisioning.drivers.conftest import connection_of
from tests.provisioning.drivers.fault_servers import serving, silent


def failed(host: HostCluster, times: int = 1) -> Breaker:
    for _ in range(times):
        host_failed(host_id=host.pk, why="It is silent.", now=timezone.now())
    return breaker(host)


def answered(host: HostCluster) -> Breaker:
    host_answered(host_ids=[host.pk], now=timezone.now())
    return breaker(host)


def breaker(host: HostCluster) -> Breaker:
    return Breaker(HostCluster.objects.get(pk=host.pk).breaker)


@pytest.fixture
def gone(db) -> HostCluster:
    """A host where nobody listens."""
    return host_row("gone", server=f"https://127.0.0.1:{free_ports(1)[0]}")


def test_it_opens_at_the_second_failure_in_a_row_and_closes_by_way_of_a_trial(db):
    host = host_row()
    assert failed(host) == Breaker.CLOSED
    assert answered(host) == Breaker.CLOSED
    assert failed(host) == Breaker.CLOSED, "an answer between two failures: they are not in a row"
    assert failed(host) == Breaker.OPEN
    assert failed(host) == Breaker.OPEN
    assert answered(host) == Breaker.HALF_OPEN
    assert failed(host) == Breaker.OPEN, "one failure on trial is enough"
    assert answered(host) == Breaker.HALF_OPEN
    assert answered(host) == Breaker.CLOSED


def test_a_host_that_is_away_gets_no_worker_and_uses_no_attempt_up(engine, world):
    host = host_row()
    failed(host, 2)
    engine.flow(engine.step("one"))
    operation = on(host, world, "mine")
    row = engine.run(operation)
    assert waits(operation)
    assert row.attempt == 0
    assert row.message == "Host east has not answered. It goes on by itself when the host is back."
    assert engine.ran == []
    answered(host)
    assert not waits(operation)
    assert engine.run(operation).state == "Succeeded"
    assert breaker(host) == Breaker.CLOSED, "the trial went well"


def test_a_worker_that_lost_its_lease_says_nothing_about_the_host(engine, world, gone):
    def wakes_late(context):
        context.lease.lose()
        raise TemporaryError("It did not answer.", code="timeout")

    engine.flow(engine.step("one", wakes_late))
    engine.run(on(gone, world, "mine"))
    seen = HostCluster.objects.get(pk=gone.pk)
    assert (seen.breaker, seen.failures) == (Breaker.CLOSED, 0)


def test_one_tries_and_the_others_follow(engine, world):
    host = host_row()
    failed(host, 2)
    engine.flow(engine.step("one"))
    operations = [on(host, world, f"c-{number}") for number in range(5)]
    for operation in operations:
        engine.run(operation)
    answered(host)
    assert [waits(operation) for operation in operations] == [False, True, True, True, True]
    late = on(host, world, "late")
    engine.run(late)
    assert waits(late), "who comes meanwhile does not try as well"
    engine.run(operations[0])
    assert not any(waits(operation) for operation in (*operations, late))


def test_a_step_that_finds_its_host_gone_waits_for_it_and_its_try_does_not_count(engine, world, gone):
    def call(context):
        raise TemporaryError("Host gone cannot be reached: connection refused.", code="unreachable")

    engine.flow(engine.step("one", call))
    operation = on(gone, world, "mine")
    row = engine.run(operation)
    assert waits(operation)
    assert (row.attempt, breaker(gone), held(gone)) == (0, Breaker.OPEN, 0)
    assert events(operation) == [("one", "warning", "Host gone cannot be reached: connection refused.")]


def test_a_host_that_takes_connections_and_says_nothing_is_gone_too(engine, world):
    def call(context):
        raise TemporaryError("Host mute did not answer in time.", code="timeout")

    engine.flow(engine.step("one", call))
    with serving(silent) as port:
        host = host_row("mute", server=f"https://127.0.0.1:{port}")
        operation = on(host, world, "mine")
        engine.run(operation)
    assert waits(operation)
    assert breaker(host) == Breaker.OPEN


def test_a_virtual_cluster_that_does_not_answer_is_not_its_hosts_fault(engine, world, local_hosts):
    def call(context):
        raise TemporaryError("Virtual cluster hello did not answer in time.", code="timeout")

    engine.flow(engine.step("one", call))
    host = connected(local_hosts["harbor-east"])
    operation = on(host, world, "mine")
    row = engine.run(operation)
    assert (row.state, row.attempt) == ("Error", 1)
    assert (breaker(host), held(host)) == (Breaker.CLOSED, 0)


def connected(local) -> HostCluster:
    connection = connection_of(local.kubeconfig)
    host = host_row(local.name, server=connection.server)
    host.credential.ciphertext = connection_encrypt(connection)
    host.credential.save()
    return host


def test_what_waits_for_a_cluster_to_start_when_the_host_goes_waits_for_the_host(engine, world):
    host = host_row()
    engine.flow(engine.step("one", lambda context: Wait(0, "It starts.")))
    operation = on(host, world, "mine")
    engine.run(operation)
    failed(host, 2)
    engine.run_now(operation)
    assert waits(operation)


def test_connecting_a_host_anew_is_not_kept_from_it_and_closes_its_breaker(engine, world):
    host = host_row()
    failed(host, 2)
    engine.flow(engine.step("one"), kind=OperationKind.CONNECT, breaker=False, slots=False)
    operation = operation_row(host, OperationKind.CONNECT)
    waiting = on(host, world, "mine")
    engine.flow(engine.step("two"))
    engine.run(waiting)
    assert engine.run(operation).state == "Succeeded"
    host_trusted(host_id=host.pk, now=timezone.now())
    assert breaker(host) == Breaker.CLOSED
    assert not waits(waiting)


def test_reading_waits_for_a_host_that_is_away_but_takes_no_slot(engine, world):
    host = host_row(concurrency=1)
    engine.flow(engine.step("one"), kind=OperationKind.ISSUE_KUBECONFIG, slots=False)
    operation = on(host, world, "mine")
    operation.kind, operation.lock_key = OperationKind.ISSUE_KUBECONFIG, None
    operation.save()
    failed(host, 2)
    engine.run(operation)
    assert waits(operation)
    answered(host)
    answered(host)
    assert fresh(engine.run(operation)).state == "Succeeded"
