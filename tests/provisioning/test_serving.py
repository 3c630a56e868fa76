"""Whether workloads run in a cluster is read from its pods on the host, and what cannot be seen is not known."""

from typing import Any

import pytest

from clusters.models import VirtualCluster
from clusters.services.serving import serving_note
from provisioning.engine.errors import TemporaryError
from provisioning.serving_reading import serving_read
from tests.accounts.conftest import world_make
from tests.clusters.making import cluster_row

SELECTOR = "vcluster.loft.sh/managed-by=hello,vcluster.loft.sh/namespace!=kube-system"


class Pods:
    """A host that has these pods of the cluster, by their phases."""

    def __init__(self, *phases: str, error: Exception | None = None) -> None:
        self.phases, self.error = phases, error

    def list(self, kind: Any, namespace: str, *, label_selector: str) -> list[dict[str, Any]]:
        assert (kind.plural, namespace, label_selector) == ("pods", "marina-hello", SELECTOR)
        if self.error:
            raise self.error
        return [{"status": {"phase": phase}} for phase in self.phases]


@pytest.mark.parametrize(
    ("pods", "serves"),
    [
        (Pods("Succeeded", "Running"), True),
        (Pods("Pending"), True),
        (Pods("Succeeded", "Failed"), False),
        (Pods(), False),
        (Pods(error=TemporaryError("away", code="away")), None),
    ],
)
def test_what_runs_or_is_about_to_may_serve_somebody(pods, serves):
    assert serving_read(namespace="marina-hello", release="hello", kube=pods) is serves


@pytest.mark.django_db
def test_only_what_changed_is_written(django_assert_num_queries):
    row = cluster_row(world_make())
    for serving, queries in ((None, 1), (True, 2), (True, 1), (False, 2), (None, 2)):
        with django_assert_num_queries(queries):
            serving_note(virtual_cluster_id=row.pk, serving=serving)
        assert VirtualCluster.objects.get().serving is serving
