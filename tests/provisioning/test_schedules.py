"""Schedules are rows: never run twice for one turn, and caught up once however long nobody looked."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from clusters.models import Schedule
from controlplane.celery import app
from provisioning.schedules import Scheduled, schedules, schedules_tick
from tests.engine.conftest import at_once

pytestmark = pytest.mark.django_db(transaction=True)
ALL = {each.name for each in schedules()}


@pytest.fixture
def sent() -> list[str]:
    """Names of the schedules whose tasks were sent."""
    return []


@pytest.fixture
def tick(sent):
    return lambda: schedules_tick(send=lambda scheduled: sent.append(scheduled.name))


def away(name: str, **how_long) -> None:
    """As if its last tick had been so long ago."""
    Schedule.objects.filter(name=name).update(ticked_at=timezone.now() - timedelta(**how_long))


def test_what_never_ran_runs_at_the_first_tick_and_not_at_the_next(tick, sent):
    tick()
    assert set(sent) == ALL
    assert tick() == []
    assert len(sent) == len(ALL)


def test_ticks_at_once_run_a_schedule_once(tick, sent):
    at_once(8, lambda _: tick())
    assert sorted(sent) == sorted(ALL)
    for name in ALL:
        away(name, hours=2)
    at_once(8, lambda _: tick())
    assert sorted(sent) == sorted([*ALL, *ALL])


def test_one_that_was_missed_for_hours_is_caught_up_once(tick, sent):
    tick()
    sent.clear()
    away("tidy-hourly", hours=7)
    assert [tick(), tick(), tick()] == [["tidy-hourly"], [], []]
    assert sent == ["tidy-hourly"]


def test_one_is_due_when_its_time_has_come_and_not_before(tick):
    tick()
    away("credentials-renew", seconds=50)
    assert tick() == []
    away("credentials-renew", seconds=60)
    assert tick() == ["credentials-renew"]


def test_probes_every_second_are_served_by_a_tick_a_second(tick, settings):
    settings.PROBE_SECONDS = 1
    tick()
    away("probes", seconds=0.95)  # a tick that comes a little early
    assert tick() == ["probes"]


def test_what_could_not_be_sent_is_due_again(tick, sent):
    def refuse(scheduled: Scheduled) -> None:
        raise ConnectionError("no broker")

    with pytest.raises(ConnectionError):
        schedules_tick(send=refuse)
    assert set(tick()) == ALL


def test_a_clock_that_is_off_moves_nothing(tick, sent):
    """Only the database's clock counts, so what a row says is never ahead of it."""
    tick()
    assert not Schedule.objects.filter(ticked_at__gt=timezone.now() + timedelta(seconds=1)).exists()


def test_every_task_exists_has_a_queue_and_its_messages_expire():
    app.loader.import_default_modules()
    for each in schedules():
        assert each.task in app.tasks
        assert each.expires >= each.seconds
    entry: Any
    for entry in django_settings.CELERY_BEAT_SCHEDULE.values():
        assert entry["task"] in app.tasks
        assert entry["options"]["expires"] > entry["schedule"]
