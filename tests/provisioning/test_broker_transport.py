"""A broker that dies while a worker has messages that it did not begin does not end the worker."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from kombu import Connection, Queue
from structlog.testing import capture_logs

from dev.processes import Processes
from dev.valkey import Valkey

TRANSPORT = "provisioning.broker_transport:Transport"


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    own = Processes(tmp_path / "logs")
    yield own
    own.stop_all()


@pytest.fixture
def valkey(tmp_path: Path, processes: Processes) -> Valkey:
    own = Valkey(tmp_path / "valkey", processes)
    own.start()
    return own


def fetched(connection: Connection):
    """A channel that got one message and acknowledged none."""
    queue = Queue("operations").bind(connection.default_channel)
    queue.declare()
    connection.Producer().publish({"id": 1}, routing_key="operations")
    message = queue.get()
    assert message is not None
    return queue, message


def test_celery_uses_it():
    from controlplane.celery import app

    with app.connection_for_read() as connection:
        assert type(connection.transport).__module__ == "provisioning.broker_transport"


def test_what_a_closed_connection_had_fetched_goes_back_to_the_queue(valkey):
    with Connection(valkey.url(), transport=TRANSPORT) as connection:
        fetched(connection)
    with Connection(valkey.url(), transport=TRANSPORT) as other:
        assert Queue("operations").bind(other.default_channel).get() is not None


@pytest.mark.parametrize(("transport", "ends_the_worker"), [("redis", True), (TRANSPORT, False)])
def test_a_connection_whose_broker_died_is_closed_and_says_what_it_could_not_give_back(
    valkey, processes, transport, ends_the_worker
):
    """As Celery closes it: what was left of it is let go first. With kombu's own that ended the worker."""
    connection = Connection(valkey.url(), transport=transport)
    fetched(connection)
    processes.stop("valkey")
    connection.transport.client = None
    with capture_logs() as logs, pytest.raises(AttributeError) if ends_the_worker else nullcontext():
        connection.close()
    told = ["wake-ups could not be given back to the broker; they are sent again"]
    assert [each["event"] for each in logs] == ([] if ends_the_worker else told)
