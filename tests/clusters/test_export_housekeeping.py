"""The housekeeping of exports while workers go on: what is being tried again is nobody's leftover."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.utils import timezone

from clusters.exports.folder import ExportFolder
from clusters.models import Export, Operation, OperationKind, OperationState, VirtualCluster
from clusters.services.export_retention import exports_expire
from clusters.services.export_writing import export_fail
from provisioning.flows.delete import gone
from tests.clusters.export_making import export_made
from tests.clusters.making import operation_row, ready_row


class Meanwhile(ExportFolder):
    """Before it looks into a folder for the first time, something else happens."""

    then: ClassVar[list[Callable[[], Any]]] = []

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        if self.then:
            self.then.pop()()
        return super().listdir(path)


@pytest.fixture(autouse=True)
def folder(settings, tmp_path: Path) -> Path:
    backend = {"BACKEND": f"{__name__}.Meanwhile", "OPTIONS": {"location": str(tmp_path / "exports")}}
    settings.STORAGES = {**settings.STORAGES, "exports": backend}
    return tmp_path / "exports"


@pytest.fixture
def cluster(world, host) -> VirtualCluster:
    return ready_row(world, host, "shop")


def failed(cluster: VirtualCluster, state: OperationState) -> Export:
    """One whose last attempt failed after it had stored its file; `state`: of its operation."""
    ended = timezone.now() if state == OperationState.FAILED else None
    operation = operation_row(cluster, OperationKind.EXPORT, state=state, lock_key=None, finished_at=ended)
    export = export_made(cluster, operation=operation)
    Export.objects.filter(pk=export.pk).update(state="Writing")
    export_fail(export=export, why="The storage is full.", now=timezone.now())
    return export


def test_what_succeeds_while_others_are_erased_keeps_its_file(cluster, folder):
    first, _ = (failed(cluster, OperationState.FAILED) for _ in range(2))  # lists begin with the newest

    def tried_again() -> None:
        Export.objects.filter(pk=first.pk).update(state="Complete")

    Meanwhile.then[:] = [tried_again]
    exports_expire(now=timezone.now())
    (complete,) = Export.objects.filter(state="Complete")
    assert complete.storage_name
    assert (folder / complete.storage_name).is_file()


def test_a_failed_attempt_whose_operation_goes_on_is_left_alone(cluster, folder):
    export = failed(cluster, OperationState.ERROR)
    exports_expire(now=timezone.now())
    export.refresh_from_db()
    assert (folder / export.storage_name).is_file()
    Operation.objects.filter(export=export).update(state=OperationState.FAILED, finished_at=timezone.now())
    exports_expire(now=timezone.now())
    export.refresh_from_db()
    assert export.storage_name == ""
    assert [each for each in folder.rglob("*") if each.is_file()] == []


@pytest.mark.parametrize("phase", ["Deleting", "Failed", "Configuring"])
def test_the_last_one_of_a_cluster_that_nobody_can_read_now_stays_however_old(cluster, phase):
    first, last = export_made(cluster), export_made(cluster)
    VirtualCluster.objects.update(phase=phase)
    assert last.expires_at
    late = last.expires_at + timedelta(days=500)
    assert exports_expire(now=late) == 1
    first.refresh_from_db()
    last.refresh_from_db()
    assert (first.state, last.state) == ("Removed", "Complete")
    VirtualCluster.objects.update(phase="Ready")
    assert exports_expire(now=late) == 1


@pytest.mark.parametrize("purge", [False, True])
def test_the_days_of_a_deleted_clusters_export_count_from_when_it_is_gone(cluster, purge):
    export, now = export_made(cluster), timezone.now()
    operation = operation_row(cluster, OperationKind.DELETE, params={"purge": True} if purge else {})
    assert export.expires_at
    gone(operation, now + timedelta(days=20))
    kept = export.expires_at
    export.refresh_from_db()
    assert export.expires_at == (kept if purge else now + timedelta(days=50))
