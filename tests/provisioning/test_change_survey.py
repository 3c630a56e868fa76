"""Clusters are looked into one after the other, each by one worker, and what could not be seen is unknown."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from clusters.lifecycle.signal import SignalKind, SignalState
from clusters.models import (
    Breaker,
    HostCluster,
    IdleSignal,
    Placement,
    VirtualCluster,
    VirtualClusterPhase,
)
from clusters.services.idle_signals import unlooked_note
from provisioning.change_survey import change_claim, changes_survey
from provisioning.cpu_reading import CONTROL_PLANE_MILLICORES, cpu_noted
from provisioning.drivers.clients import Clients
from provisioning.drivers.errors import ForbiddenError, NotFound
from provisioning.engine.errors import TemporaryError
from tests.accounts.conftest import world_make
from tests.clusters.making import cluster_row, host_row, ready_row
from tests.engine.conftest import at_once
from tests.provisioning.drivers.fault_servers import connection_to, serving
from tests.provisioning.hosts import host_at

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)


@pytest.fixture
def world(db):
    return world_make()


def clusters_make(world, host: HostCluster, *names: str) -> list[VirtualCluster]:
    made = [ready_row(world, host, name) for name in names]
    unlooked_note(clusters=[each.pk for each in made], kind=SignalKind.CHANGE)
    return made


def claimed() -> str | None:
    placement = change_claim()
    return placement.virtual_cluster.name if placement else None


def looked(name: str, **ago: float) -> None:
    """As if it had been its turn so long ago."""
    IdleSignal.objects.filter(virtual_cluster__name=name).update(looked_at=timezone.now() - timedelta(**ago))


# --- whose turn it is -------------------------------------------------------------------------------------------------


def test_a_cluster_is_looked_into_by_one_at_a_time_and_again_when_its_time_has_come(world, settings):
    settings.CHANGE_SURVEY_SECONDS = 600
    clusters_make(world, host_row(), "hello")
    assert [claimed(), claimed()] == ["hello", None]
    looked("hello", seconds=599)
    assert claimed() is None
    looked("hello", seconds=601)
    assert claimed() == "hello"


def test_workers_that_claim_at_once_get_different_ones(world):
    clusters_make(world, host_row(), "a", "b", "c")
    assert sorted(filter(None, at_once(5, lambda _: claimed()))) == ["a", "b", "c"]


def test_the_one_that_was_not_looked_at_for_longest_comes_first(world):
    clusters_make(world, host_row(), "a", "b", "c")
    for name, hours in (("a", 1), ("b", 3)):
        looked(name, hours=hours)
    assert [claimed(), claimed(), claimed(), claimed()] == ["c", "b", "a", None]


@pytest.mark.parametrize("phase", [phase for phase in VirtualClusterPhase if phase != VirtualClusterPhase.READY])
def test_only_ready_ones_are_looked_into(world, phase):
    clusters_make(world, host_row(), "hello")
    VirtualCluster.objects.update(phase=phase)
    assert claimed() is None


def test_nobody_asks_a_host_that_is_silent_or_not_connected(world):
    clusters_make(world, host_row(), "hello")
    HostCluster.objects.update(breaker=Breaker.OPEN)
    assert claimed() is None
    HostCluster.objects.update(breaker=Breaker.HALF_OPEN)
    assert claimed() == "hello"


def test_one_without_a_place_is_not_looked_into(world):
    nowhere = cluster_row(world, "nowhere", phase=VirtualClusterPhase.READY)
    unlooked_note(clusters=[nowhere.pk], kind=SignalKind.CHANGE)
    assert claimed() is None


def test_new_clusters_get_their_turn_by_themselves_and_one_that_cannot_be_asked_is_unknown(world):
    with serving(lambda connection: None) as port:
        cluster = ready_row(world, host_at(connection_to(port)), "hello")
        assert changes_survey(clients=Clients(), clock=lambda: NOW) == 1
        assert changes_survey(clients=Clients(), clock=lambda: NOW) == 0
    rows = {row.kind: row for row in IdleSignal.objects.filter(virtual_cluster=cluster)}
    assert set(rows) == {"change", "cpu"}
    for row in rows.values():
        assert (row.state, row.observed_at, row.last_used_at) == (SignalState.UNKNOWN, None, None)
        assert "host east" in row.reason.lower()


def test_who_is_told_to_stop_begins_no_other(world):
    ready_row(world, host_row(), "hello")
    assert changes_survey(clients=Clients(), clock=lambda: NOW, stopping=lambda: True) == 0
    assert claimed() == "hello"


# --- the CPU of its pods ----------------------------------------------------------------------------------------------


class Metrics:
    """A host's API, as far as it measures pods."""

    def __init__(self, *pods: str | None, error: Exception | None = None) -> None:
        self._pods = pods
        self._error = error

    def list(self, kind: Any, namespace: str) -> list[dict[str, Any]]:
        assert (kind.api_version, kind.plural, namespace) == ("metrics.k8s.io/v1beta1", "pods", "marina-hello")
        if self._error:
            raise self._error
        return [{"containers": [{"name": "main", "usage": {"cpu": each}}, {"name": "side"}]} for each in self._pods]


@pytest.fixture
def placement(world) -> Placement:
    return Placement.objects.select_related("virtual_cluster", "host").get(
        virtual_cluster=ready_row(world, host_row(), "hello")
    )


def noted(placement: Placement, *pods: str | None, error: Exception | None = None):
    return cpu_noted(placement, Metrics(*pods, error=error), now=NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pods", "in_use"),
    [
        (["44m"], False),
        (["42135123n", "3m"], False),
        (["44m", "49m"], False),
        (["44m", "50m"], True),
        (["44m", "1"], True),
        (["94m"], True),
        (["44m", None, "nonsense"], False),
    ],
)
def test_what_pods_take_beyond_an_idle_control_plane_is_use_from_the_threshold_on(placement, settings, pods, in_use):
    settings.IDLE_CPU_MILLICORES = 50
    found = noted(placement, *pods)
    assert (found.state, found.observed_at) == (SignalState.KNOWN, NOW)
    assert found.last_used_at == (NOW if in_use else None)
    assert ("millicores" in found.who) == in_use


def test_each_replica_of_the_control_plane_may_take_its_share(placement, settings):
    settings.IDLE_CPU_MILLICORES = 50
    share = f"{CONTROL_PLANE_MILLICORES}m"
    placement.virtual_cluster.replicas = 3
    assert noted(placement, share, share, share, "40m").last_used_at is None


@pytest.mark.parametrize(
    ("error", "state", "told"),
    [
        (NotFound("no", code="not-found"), SignalState.UNSUPPORTED, "does not measure pods"),
        (ForbiddenError("pods.metrics.k8s.io is forbidden"), SignalState.UNSUPPORTED, "marina host manifest"),
        (TemporaryError("It is overloaded.", code="server-error"), SignalState.UNKNOWN, "It is overloaded."),
    ],
)
def test_a_host_that_does_not_tell_says_why(placement, error, state, told):
    found = noted(placement, error=error)
    assert (found.state, found.observed_at, found.last_used_at) == (state, None, None)
    assert told in found.reason


def test_while_nothing_is_measured_yet_it_is_unknown(placement):
    assert noted(placement).state == SignalState.UNKNOWN
