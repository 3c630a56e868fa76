"""Exports over the API: who sees, makes, reads and removes them, and for how long they stay."""

import io
import tarfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.utils import timezone

from accounts.errors import Gone
from accounts.models import AuditEvent
from clusters.exports.secrets import key_of, spec_of
from clusters.models import Export, Operation, OperationKind, VirtualCluster, VirtualClusterPhase
from clusters.selectors_exports import export_objects
from clusters.services.export_retention import exports_expire
from clusters.services.exports import export_remove, export_start
from clusters.services.history import project_history_remove
from tests.accounts.conftest import MARINA, signed_in
from tests.clusters.conftest import problem
from tests.clusters.export_making import OBJECTS, PASSWORD, export_made, export_row
from tests.clusters.making import operation_row, ready_row

URL = "/api/v1/exports"


@pytest.fixture(autouse=True)
def folder(settings, tmp_path: Path) -> Path:
    """Where exports of this test are kept."""
    backend = {"BACKEND": "clusters.exports.folder.ExportFolder", "OPTIONS": {"location": str(tmp_path / "exports")}}
    settings.STORAGES = {**settings.STORAGES, "exports": backend}
    return tmp_path / "exports"


@pytest.fixture
def cluster(world, host) -> VirtualCluster:
    return ready_row(world, host, "shop")


def files(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]


def unpacked(answer: Any) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(answer.getvalue()), mode="r:gz") as tar:
        return {each.name: tar.extractfile(each).read() for each in tar}  # type: ignore[union-attr]


def test_asking_for_one_starts_an_operation_and_a_second_that_waits_is_answered(people, cluster):
    client, url = signed_in(people.dan), f"/api/v1/virtual-clusters/{cluster.pk}/exports"
    first = client.post(url)
    assert first.status_code == 202
    body = first.json()
    assert (body["operation"]["kind"], body["export"]["state"], body["export"]["cause"]) == (
        "export",
        "Writing",
        "request",
    )
    assert first["Operation-Location"].endswith(body["operation"]["id"])
    second, third = client.post(url), client.post(url)
    assert (second.status_code, third.status_code) == (202, 200)
    assert third.json()["export"]["id"] == second.json()["export"]["id"] != body["export"]["id"]
    assert [each["id"] for each in client.get(url).json()["results"]] == [
        second.json()["export"]["id"],
        body["export"]["id"],
    ]
    assert AuditEvent.objects.filter(action="virtualcluster.export", object_id=str(cluster.pk)).count() == 2


@pytest.mark.parametrize(("phase", "code"), [("Asleep", "asleep"), ("Deleted", "conflict")])
def test_what_does_not_answer_is_not_exported(people, cluster, phase, code):
    VirtualCluster.objects.update(phase=phase)
    answer = signed_in(people.dan).post(f"/api/v1/virtual-clusters/{cluster.pk}/exports")
    found = problem(answer, 409)
    assert found["code"] == code
    assert "marina " in found["hint"]
    assert not Export.objects.exists()


def test_one_that_is_falling_asleep_or_being_deleted_is_not_exported(people, cluster):
    for kind in (OperationKind.SLEEP, OperationKind.DELETE):
        Operation.objects.all().delete()
        at_work = operation_row(cluster, kind)
        found = problem(signed_in(people.dan).post(f"/api/v1/virtual-clusters/{cluster.pk}/exports"), 409)
        assert str(at_work.pk) in str(found)


def test_what_is_in_it_can_be_read_as_files_for_kubectl_by_who_may(people, cluster):
    export = export_made(cluster)
    answer = signed_in(people.dan).get(f"{URL}/{export.pk}/content")
    assert (answer.status_code, answer["Cache-Control"], answer["Content-Type"]) == (
        200,
        "no-store",
        "application/gzip",
    )
    assert answer["Content-Disposition"].startswith('attachment; filename="shop-')
    found = unpacked(answer)
    names = sorted(name.partition("/")[2] for name in found)
    assert names == ["20-Namespace-001.yaml", "50-Secret-001.yaml", "README.txt", "manifest.txt"]
    (secret,) = (yaml.safe_load(text) for name, text in found.items() if "Secret" in name)
    assert secret == {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "door", "namespace": "shop"},
                "data": {"password": PASSWORD},
            }
        ],
    }


@pytest.mark.parametrize(
    ("who", "status"),
    [("vera", 403), ("dan", 200), ("ada", 200), ("otto", 403), ("mia", 404), ("eve", 404), ("op", 404), ("staff", 404)],
)
def test_reading_takes_the_role_and_leaves_a_row(world, people, cluster, who, status):
    export = export_made(cluster)
    client = signed_in(getattr(people, who, None) or getattr(world, who))
    answer = client.get(f"{URL}/{export.pk}/content")
    assert answer.status_code == status
    if status != 200:
        assert answer["Content-Type"] == "application/problem+json"
    rows = AuditEvent.objects.filter(action="virtualcluster.export.read", result="ok")
    assert [row.details for row in rows] == ([{"export": str(export.pk)}] if status == 200 else [])
    assert PASSWORD not in str(list(AuditEvent.objects.values()))


def test_a_head_request_reads_nothing(people, cluster):
    export = export_made(cluster)
    assert signed_in(people.dan).head(f"{URL}/{export.pk}/content").status_code == 405
    assert not AuditEvent.objects.filter(action="virtualcluster.export.read").exists()


def test_of_a_file_that_was_changed_cut_or_is_gone_not_a_byte_is_given(people, cluster, folder):
    export, client = export_made(cluster), signed_in(people.dan)
    (file,) = files(folder)
    whole = file.read_bytes()
    for content in (whole[:-1], whole[:30] + bytes([whole[30] ^ 1]) + whole[31:], whole + b"x", b""):
        file.write_bytes(content)
        found = problem(client.get(f"{URL}/{export.pk}/content"), 409)
        assert found["code"] == "export-damaged"
        assert found["detail"].startswith("The file of this export is damaged.")
    file.unlink()
    found = problem(client.get(f"{URL}/{export.pk}/content"), 503)
    assert (found["code"], found["detail"]) == ("export-storage", "The file of this export is no longer there.")


@pytest.mark.parametrize(("state", "status"), [("Writing", 409), ("Failed", 409), ("Removed", 410)])
def test_there_is_nothing_to_read_of_one_that_is_not_complete(people, cluster, state, status):
    export = export_row(cluster, state=state)
    problem(signed_in(people.dan).get(f"{URL}/{export.pk}/content"), status)


def test_a_list_shows_no_key_and_one_export_tells_what_was_left_out(people, cluster):
    entry = {"rule": "all", "reason": "Why.", "count": 0, "first": [{"kind": "Event", "namespace": "", "name": "*"}]}
    export = export_made(cluster, left_out=[entry])
    client = signed_in(people.vera)
    (listed,) = client.get(URL).json()["results"]
    shown = client.get(f"{URL}/{export.pk}").json()
    assert not {"key", "spec", "storage_name", "left_out"} & listed.keys()
    assert (shown["left_out"], shown["counts"]) == ([entry], {"v1/Namespace": 1, "v1/Secret": 1})
    assert (listed["objects"], listed["size"]) == (2, export.size)


@pytest.mark.parametrize("query", ["cluster=shop", "project=acme/payments", "cause=request", "state=Complete"])
def test_exports_are_found_by_cluster_project_cause_and_state(people, cluster, query):
    export_made(cluster)
    client = signed_in(people.vera)
    assert len(client.get(f"{URL}?{query}").json()["results"]) == 1
    other = query.partition("=")[0] + {"cause": "=sleep", "state": "=Failed"}.get(query.partition("=")[0], "=other")
    assert client.get(f"{URL}?{other}").json().get("results", []) == []


def test_those_of_a_deleted_cluster_are_still_seen_and_read_by_who_could_see_its_project(people, cluster):
    export = export_made(cluster)
    VirtualCluster.objects.update(phase=VirtualClusterPhase.DELETED)
    client = signed_in(people.dan)
    assert [each["id"] for each in client.get(URL).json()["results"]] == [str(export.pk)]
    assert client.get(f"{URL}/{export.pk}/content").status_code == 200
    assert signed_in(people.eve).get(f"{URL}/{export.pk}").status_code == 404


def test_who_may_delete_the_cluster_removes_an_export_for_good(
    people, cluster, folder, django_capture_on_commit_callbacks
):
    export = export_made(cluster)
    problem(signed_in(people.vera).delete(f"{URL}/{export.pk}"), 403)
    assert len(files(folder)) == 1
    with django_capture_on_commit_callbacks(execute=True):
        assert signed_in(people.dan).delete(f"{URL}/{export.pk}").status_code == 204
    assert files(folder) == []
    export.refresh_from_db()
    assert (export.state, export.key, export.spec, export.storage_name) == ("Removed", None, None, "")
    assert export.message == "Removed by dan."
    assert problem(signed_in(people.dan).delete(f"{URL}/{export.pk}"), 409)["code"] == "conflict"
    with pytest.raises(Gone, match="Removed by dan"):
        list(export_objects(export))


def test_one_that_is_written_or_restored_is_not_removed(people, cluster):
    work = export_start(virtual_cluster=cluster, actor=MARINA, now=timezone.now())
    client = signed_in(people.ada)
    assert str(work.operation.pk) in problem(client.delete(f"{URL}/{work.export.pk}"), 409)["hint"]
    export = export_made(cluster)
    operation_row(cluster, OperationKind.RESTORE, params={"export": str(export.pk)}, lock_key=None)
    assert "restored" in problem(client.delete(f"{URL}/{export.pk}"), 409)["detail"]
    Export.objects.filter(pk=export.pk).update(expires_at=timezone.now() - timedelta(days=1))
    assert exports_expire(now=timezone.now()) == 0


def test_each_goes_at_its_time_and_not_before(cluster, folder, django_capture_on_commit_callbacks):
    export = export_made(cluster)
    ends = export.expires_at
    assert ends
    with django_capture_on_commit_callbacks(execute=True):
        assert exports_expire(now=ends - timedelta(seconds=1)) == 0
        assert len(files(folder)) == 1
        assert exports_expire(now=ends) == 1
    assert files(folder) == []
    export.refresh_from_db()
    assert (export.state, export.message) == ("Removed", "It was kept for as long as it was to be.")
    assert exports_expire(now=ends) == 0


def test_the_last_one_of_a_cluster_that_sleeps_stays_however_old(cluster):
    first, last = export_made(cluster), export_made(cluster)
    assert last.expires_at
    VirtualCluster.objects.update(sleeping=True)
    assert exports_expire(now=last.expires_at + timedelta(days=500)) == 1
    first.refresh_from_db()
    last.refresh_from_db()
    assert (first.state, last.state) == ("Removed", "Complete")


def test_a_file_that_the_storage_did_not_let_go_is_erased_later(
    cluster, folder, django_capture_on_commit_callbacks, settings
):
    export = export_made(cluster)
    working = settings.STORAGES
    broken = {"BACKEND": "clusters.exports.folder.ExportFolder", "OPTIONS": {"location": "/dev/null/exports"}}
    settings.STORAGES = {**working, "exports": broken}
    with django_capture_on_commit_callbacks(execute=True):
        export_remove(export=export, actor=MARINA, now=timezone.now())
    settings.STORAGES = working
    assert len(files(folder)) == 1
    exports_expire(now=timezone.now())
    assert files(folder) == []


def test_of_an_operation_that_ended_early_the_row_says_so(cluster):
    ended = {"state": "Aborted", "message": "No.", "finished_at": timezone.now()}
    export = export_row(cluster, operation=operation_row(cluster, OperationKind.EXPORT, **ended))
    lost = export_row(cluster)
    at_work = export_start(virtual_cluster=cluster, actor=MARINA, now=timezone.now()).export
    exports_expire(now=timezone.now())
    found = dict(Export.objects.values_list("pk", "state"))
    assert (found[export.pk], found[lost.pk], found[at_work.pk]) == ("Failed", "Failed", "Writing")


def test_with_a_projects_history_its_exports_go(world, cluster, folder, django_capture_on_commit_callbacks):
    export_made(cluster)
    VirtualCluster.objects.update(phase=VirtualClusterPhase.DELETED)
    cluster.placements.all().delete()
    with django_capture_on_commit_callbacks(execute=True):
        project_history_remove(world.payments)
    assert (Export.objects.count(), files(folder)) == (0, [])


def test_a_new_encryption_key_opens_old_exports(cluster, settings):
    from cryptography.fernet import Fernet

    export = export_made(cluster)
    key, spec = key_of(export), spec_of(export)
    new = Fernet.generate_key().decode()
    settings.MARINA_ENCRYPTION_KEYS = [new, *settings.MARINA_ENCRYPTION_KEYS]
    call_command("rotate_encryption_keys")
    settings.MARINA_ENCRYPTION_KEYS = [new]
    export.refresh_from_db()
    assert (key_of(export), spec_of(export)) == (key, spec)
    assert list(export_objects(export)) == OBJECTS
