"""What /livez and /readyz promise to load balancers and container runtimes."""

import json
import socket
import time
from collections.abc import Iterator

import pytest
import redis
from django.conf import settings
from django.test import Client

from provisioning.heartbeat import ALIVE_SECONDS, KEY_PREFIX, main, worker_heartbeat_write, workers_alive


@pytest.fixture
def broker(backing) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(settings.CELERY_BROKER_URL)
    client.flushdb()
    yield client
    client.flushdb()


@pytest.fixture
def dead_broker(settings) -> Iterator[None]:
    """An address that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        yield


def test_livez_answers_without_database_and_broker(client: Client) -> None:
    answer = client.get("/livez")
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.django_db
def test_readyz_is_200_when_database_broker_and_a_worker_answer(client: Client, broker: redis.Redis) -> None:
    assert worker_heartbeat_write()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "broker": "ok", "worker": "ok"})


@pytest.mark.django_db
def test_readyz_is_503_and_says_so_when_no_worker_runs(client: Client, broker: redis.Redis) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["broker"] == "ok"
    assert "No worker of operations has reported for 30 s" in answer.json()["worker"]


@pytest.mark.django_db
def test_a_worker_that_only_probes_hosts_does_not_count(client: Client, broker: redis.Redis) -> None:
    broker.set(KEY_PREFIX + "prober:1", "probes", ex=ALIVE_SECONDS)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "No worker of operations" in answer.json()["worker"]


@pytest.mark.django_db
def test_readyz_answers_within_two_seconds_and_a_bit_when_the_broker_hangs(client: Client, dead_broker: None) -> None:
    started = time.monotonic()
    answer = client.get("/readyz")
    assert time.monotonic() - started < 2.5
    assert answer.status_code == 503
    assert answer.json()["database"] == "ok"
    assert answer.json()["broker"] != "ok"
    assert answer.json()["worker"] != "ok"


@pytest.mark.django_db
def test_readyz_names_the_cause_when_nothing_listens_at_the_brokers_address(client: Client, settings) -> None:
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "refused" in answer.json()["broker"].lower()


def test_health_addresses_refuse_to_change_anything(client: Client) -> None:
    assert client.post("/livez").status_code == 405


def test_a_heartbeat_is_forgotten_when_its_worker_stops_writing(broker: redis.Redis) -> None:
    worker_heartbeat_write("one")
    assert workers_alive() == ["one"]
    assert 0 < broker.ttl(KEY_PREFIX + "one") <= ALIVE_SECONDS


def test_writing_a_heartbeat_never_raises(dead_broker: None) -> None:
    assert worker_heartbeat_write() is False


def test_a_containers_own_check_tells_its_worker_from_others(broker: redis.Redis) -> None:
    worker_heartbeat_write("another-machine:1")
    assert main() == 1
    worker_heartbeat_write()
    assert main() == 0


@pytest.mark.django_db
def test_readyz_speaks_json_without_secrets(client: Client, dead_broker: None) -> None:
    answer = client.get("/readyz")
    assert answer["Content-Type"] == "application/json"
    assert "password" not in json.dumps(answer.json()).lower()
