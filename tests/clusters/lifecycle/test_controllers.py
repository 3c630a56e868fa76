"""The sweep by the signals' own rows: what controllers write is no use, one change by a person is."""

from datetime import timedelta

import pytest

from clusters.lifecycle.signal import SignalKind
from clusters.models import SignalSource, VirtualCluster
from clusters.services.idle_signals import unlooked_note
from clusters.services.known_writers import Written, writers_note
from clusters.services.signal_sources import BOOKS, GATEWAY
from tests.clusters.lifecycle.conftest import NOW
from tests.clusters.lifecycle.runs import ran
from tests.clusters.making import ready_row


def written(manager: str, *ago: timedelta) -> Written:
    times = tuple((NOW - each).timestamp() for each in ago)
    return Written(manager=manager, times=times, wrote="the ConfigMap a", kinds=("ConfigMap",))


OPERATORS = {
    "argocd": written("argocd-controller", *(timedelta(seconds=3 * n) for n in range(60))),
    "cert-manager": written("cert-manager-certificates-issuing", *(timedelta(minutes=5 * n) for n in range(60))),
}
PERSON = written("kubectl-annotate", timedelta(hours=1))


@pytest.fixture
def row(world, host, settings) -> VirtualCluster:
    """Ten days old, on a host that tells all; nobody came through the gateway or got a kubeconfig."""
    settings.GATEWAY_URL = "https://gateway.example"
    for name in (BOOKS, f"{GATEWAY}a"):
        SignalSource.objects.create(name=name, written_until=NOW)
    made = ready_row(world, host, "hello")
    VirtualCluster.objects.filter(pk=made.pk).update(created_at=NOW - timedelta(days=10))
    unlooked_note(clusters=[made.pk], kind=SignalKind.CHANGE)
    return made


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_cluster_in_which_only_controllers_write_is_put_to_sleep(row, operator):
    writers_note(virtual_cluster_id=row.pk, written=[OPERATORS[operator]], observed_at=NOW)
    assert ran(now=NOW).put_to_sleep == 1


@pytest.mark.parametrize("operator", OPERATORS)
def test_one_change_by_a_person_keeps_it_awake(row, operator):
    writers_note(virtual_cluster_id=row.pk, written=[OPERATORS[operator], PERSON], observed_at=NOW)
    run = ran(now=NOW)
    assert (run.put_to_sleep, run.unknown) == (0, 0)


def test_one_into_which_nobody_has_looked_stays_awake(row):
    run = ran(now=NOW)
    assert (run.put_to_sleep, run.unknown) == (0, 1)


def test_one_whose_gateways_have_not_written_for_long_stays_awake(row):
    writers_note(virtual_cluster_id=row.pk, written=[], observed_at=NOW)
    SignalSource.objects.filter(name__startswith=GATEWAY).update(written_until=NOW - timedelta(hours=7))
    run = ran(now=NOW)
    assert (run.put_to_sleep, run.unknown) == (0, 1)
