"""A broker that is away fails no request and no worker: the row is the truth, and is told of again."""

import socket
import threading
import time
from contextlib import contextmanager
from uuid import UUID, uuid4

import pytest
from celery import Celery
from django.conf import settings
from django.utils import timezone
from structlog.testing import capture_logs

from clusters.dispatch import operation_wake
from clusters.models import Operation, OperationKind
from controlplane.celery import app
from dev.processes import Processes
from dev.valkey import Valkey
from localkube.ports import free_ports
from provisioning.engine.waker import Waker
from tests.accounts.conftest import signed_in
from tests.clusters.making import host_row
from tests.engine.conftest import fresh, started

DEADLINE_SECONDS = 3.0


def nobody() -> str:
    return f"redis://:secret-of-the-broker@127.0.0.1:{free_ports(1)[0]}/0"


@contextmanager
def broker(url: str):
    """An application with the same settings, whose broker is at this address, for this thread."""
    elsewhere = Celery("elsewhere", broker=url, set_as_current=False)
    elsewhere.conf.update(
        task_publish_retry=settings.CELERY_TASK_PUBLISH_RETRY,
        broker_transport_options=settings.CELERY_BROKER_TRANSPORT_OPTIONS,
    )
    elsewhere.set_current()
    try:
        yield
    finally:
        app.set_current()
        elsewhere.close()


@contextmanager
def silent_server():
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []
        server.settimeout(0.2)
        ended = threading.Event()

        def take() -> None:
            while not ended.is_set():
                try:
                    taken.append(server.accept()[0])
                except TimeoutError:
                    continue

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        finally:
            ended.set()
            thread.join()
            for each in taken:
                each.close()


@pytest.mark.django_db(transaction=True)
def test_a_wake_up_that_nobody_takes_is_given_up_soon_and_left_to_the_waker(engine):
    operation = engine.start()
    Operation.objects.filter(pk=operation.pk).update(published_at=timezone.now())
    with broker(nobody()), capture_logs() as logs:
        begun = time.monotonic()
        operation_wake(operation.pk)
        took = time.monotonic() - begun
    assert took < DEADLINE_SECONDS
    assert fresh(operation).published_at is None
    assert "the waker will send it again" in logs[-1]["event"]
    assert "secret-of-the-broker" not in str(logs)


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_takes_connections_and_says_nothing_does_not_hold_a_request_either(engine):
    operation = engine.start()
    with silent_server() as url, broker(url):
        begun = time.monotonic()
        operation_wake(operation.pk)
        took = time.monotonic() - begun
    assert took < 3 * DEADLINE_SECONDS
    assert fresh(operation).published_at is None


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_went_away_after_a_message_is_no_trouble(engine, tmp_path):
    """The connection that is kept for the next message is dead by then."""
    processes = Processes(tmp_path / "logs")
    valkey = Valkey(tmp_path / "valkey", processes)
    valkey.start()
    operation = engine.start()
    with broker(valkey.url()):
        operation_wake(uuid4())
        processes.stop_all()
        operation_wake(operation.pk)
    assert fresh(operation).published_at is None


@pytest.mark.django_db(transaction=True)
def test_creating_answers_202_while_the_broker_is_away_and_the_waker_tells_later(world):
    host_row()
    client = signed_in(world.olivia)
    with broker(nobody()):
        begun = time.monotonic()
        body = {"project": "acme/payments", "name": "hello"}
        answer = client.post("/api/v1/virtual-clusters", body, format="json")
        took = time.monotonic() - begun
    assert answer.status_code == 202, answer.content
    assert took < 2 * DEADLINE_SECONDS
    operation = Operation.objects.get()
    assert (operation.state, operation.published_at) == ("Pending", None)
    published: list[UUID] = []
    Waker(publish=published.append, clock=timezone.now).publish_due()
    assert published == [operation.pk]


@pytest.mark.django_db(transaction=True)
def test_a_promotion_while_the_broker_is_away_ends_the_operation_before_it_all_the_same(engine):
    engine.flow(engine.step("make"))
    provision = engine.start()
    delete = started(engine.cluster, OperationKind.DELETE).operation
    with broker(nobody()):
        assert engine.run(provision).state == "Aborted"
    row = fresh(delete)
    assert (row.state, row.published_at) == ("Pending", None)
