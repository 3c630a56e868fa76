"""A host is looked at by one probe at a time, and never by none for long."""

import socket
from contextlib import suppress
from threading import Event, Thread
from uuid import uuid4

import pytest
from django.db import connection

from dev.waiting import wait_until
from localkube.ports import free_ports
from provisioning import tasks
from provisioning.broker import broker
from provisioning.probe_claims import FORGOTTEN_SECONDS, KEY_PREFIX, probe_claimed
from tests.clusters.making import host_row


@pytest.fixture(autouse=True)
def _running(backing):
    """The broker of the run."""


def test_while_a_host_is_probed_nobody_else_probes_it_and_others_are(db):
    one, other = uuid4(), uuid4()
    with probe_claimed(one) as mine, probe_claimed(one) as second, probe_claimed(other) as elsewhere:
        assert (mine, second, elsewhere) == (True, False, True)
    with probe_claimed(one) as again:
        assert again


def test_a_probe_that_fails_lets_the_next_one_in():
    host_id = uuid4()
    with suppress(RuntimeError), probe_claimed(host_id):
        raise RuntimeError("the host said something odd")
    with probe_claimed(host_id) as mine:
        assert mine


def test_a_claim_whose_worker_ended_is_forgotten_and_not_given_back_by_a_late_one():
    host_id = uuid4()
    key = f"{KEY_PREFIX}{host_id}"
    with probe_claimed(host_id):
        assert 0 < broker().ttl(key) <= FORGOTTEN_SECONDS
        broker().set(key, "of another probe, since this one took too long")
    assert broker().exists(key)
    broker().delete(key)


def test_without_the_broker_probes_go_on(settings):
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{free_ports(1)[0]}/0"
    with probe_claimed(uuid4()) as mine:
        assert mine


@pytest.mark.django_db(transaction=True)
def test_messages_about_a_host_that_is_being_probed_do_not_dial_it_again():
    """The host takes connections and says nothing, so the first probe waits until its time is over."""
    dialled, closed = Event(), Event()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = host_row(server=f"https://127.0.0.1:{silent.getsockname()[1]}")
        calls: list[socket.socket] = []

        def accept() -> None:
            with suppress(OSError):
                while not closed.is_set():
                    calls.append(silent.accept()[0])
                    dialled.set()

        def probe() -> None:
            try:
                tasks.host_probe(str(host.pk))
            finally:
                connection.close()

        listener, first = Thread(target=accept, daemon=True), Thread(target=probe)
        listener.start()
        first.start()
        try:
            assert dialled.wait(timeout=20)
            before = len(calls)
            for _ in range(3):
                tasks.host_probe(str(host.pk))
            assert len(calls) == before
        finally:
            closed.set()
            for call in calls:
                call.close()
            silent.shutdown(socket.SHUT_RDWR)
            first.join(timeout=60)
    wait_until(lambda: not first.is_alive(), seconds=60, what="the first probe goes on for ever")
