"""Real Celery workers: what one leaves that is killed, and what their threads keep."""

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models.base import new_id
from clusters.dispatch import operation_wake
from clusters.models import HostCluster, Operation
from clusters.services.hosts import HostSettings, host_connect
from dev.processes import Process, Processes, Program
from dev.settings_names import ROOT
from dev.waiting import wait_until
from localkube.ports import free_ports
from provisioning.broker import broker
from provisioning.heartbeat import workers_alive
from tests.accounts.conftest import MARINA
from tests.clusters.rules.kubeconfigs import kubeconfig_with
from tests.engine.conftest import events, fresh

PATIENCE_SECONDS = 60  # of a busy machine; it takes a few


@pytest.fixture
def workers(transactional_db, backing, tmp_path) -> Iterator[list[Process]]:
    """Two workers on this test's database, with short leases."""
    processes = Processes(tmp_path)
    assert backing.postgres, "workers need this test's own database: unset DATABASE_URL"
    environment = {
        **os.environ,
        "DATABASE_URL": backing.postgres.url(str(connection.settings_dict["NAME"])),
        "LEASE_SECONDS": "1.5",
        "HEARTBEAT_SECONDS": "0.5",
        "RETRY_BASE_SECONDS": "1.5",
        "HOST_READ_TIMEOUT_SECONDS": "30",
        "LOG_FORMAT": "json",
    }
    command = [sys.executable, "-m", "celery", "-A", "controlplane", "worker", "--pool", "threads", "-c", "4"]
    quiet = ["-Q", "operations", "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
    started = [
        processes.start(Program(name, [*command, *quiet, "--hostname", f"{name}@%h"], environment, ROOT))
        for name in ("worker-a", "worker-b")
    ]
    host = socket.gethostname()
    names = {f"{host}:{process.pid}" for process in started}
    wait_until(
        lambda: names <= set(workers_alive("operations")),
        seconds=PATIENCE_SECONDS,
        what="the workers did not report",
        alive=processes.require_running,
    )
    yield started
    processes.stop_all()


@contextmanager
def silent_host() -> Iterator[int]:
    """Takes connections and never says a word; gone after the block."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield server.getsockname()[1]


def connect(name: str, port: int) -> Operation:
    server = {"server": f"https://127.0.0.1:{port}"}
    how = HostSettings(name=name)
    kubeconfig = kubeconfig_with(cluster=server)
    return host_connect(settings=how, kubeconfig=kubeconfig, actor=MARINA, now=timezone.now()).operation


def test_what_a_killed_worker_held_and_what_waited_is_done_by_the_other_one(workers):
    with silent_host() as port:
        held = connect("silent", port)
        until(lambda: bool(fresh(held).lease_owner), "nobody took it")
        waiting = connect("refusing", free_ports(1)[0])
        until(lambda: fresh(waiting).state == "Error", "it did not fail once")
        owner = int(fresh(held).lease_owner.split(":")[1])
        dead, alive = sorted(workers, key=lambda process: process.pid != owner)
        dead.kill()
        until(lambda: _owned_by(alive, held), "the other worker did not take it over")
        assert fresh(held).lease_token == 2
        until(lambda: fresh(waiting).finished, "what waited did not end")
    # the silent host is gone: the connection is cut, and then nobody listens there
    until(lambda: fresh(held).finished, "what was taken over did not end")
    for operation in (held, waiting):
        row = fresh(operation)
        assert (row.state, row.error_code, row.attempt) == ("Failed", "unreachable", 2)
        assert [level for _, level, _ in events(row)] == ["warning", "warning", "error"], "a death is no attempt"
    assert set(HostCluster.objects.values_list("phase", flat=True)) == {"Failed"}
    alive.ask_to_stop()
    alive.ended_by(time.monotonic() + PATIENCE_SECONDS)
    assert "worker stopped" in alive.log.read_text()


def test_a_thread_keeps_its_database_connection_from_task_to_task_and_gets_another_where_it_was_cut(workers):
    woken(8)
    kept = claiming()
    assert len(kept) >= 2
    woken(40)
    until(lambda: kept <= claiming(), "a thread gave its connection up")
    for pid in kept:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    until(lambda: not kept & claiming(), "they were not cut")
    woken(40)
    until(lambda: len(claiming()) >= 2, "no thread got another one")


def woken(count: int) -> None:
    """Sends wake-ups for operations that are not there; each costs a worker one claim."""
    for _ in range(count):
        operation_wake(new_id())
    until(lambda: not broker().llen("operations") and len(claiming()) >= 2, "they were not taken")


def claiming() -> set[int]:
    """The database's processes whose last statement was a claim: those of the workers' threads."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            "AND query LIKE '%%WITH RECURSIVE first%%' AND pid <> pg_backend_pid()"
        )
        return {pid for (pid,) in cursor.fetchall()}


def _owned_by(worker: Process, operation: Operation) -> bool:
    return fresh(operation).lease_owner.split(":")[1:2] == [str(worker.pid)]


def until(condition: Callable[[], bool], what: str) -> None:
    wait_until(condition, seconds=PATIENCE_SECONDS, what=what)
