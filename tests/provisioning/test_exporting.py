"""The flow `export`: what there is afterwards, and that nothing half-written is ever left."""

from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import IO, Any, ClassVar

import pytest
from django.db.models import F
from django.utils import timezone

from accounts.services.audit import Actor
from clusters.exports.container import ExportDamaged, ExportReader
from clusters.exports.folder import ExportFolder
from clusters.exports.secrets import key_of, spec_of
from clusters.exports.storage import export_opened
from clusters.models import Export, Operation, Placement, VirtualCluster
from clusters.services.configuring import virtual_cluster_configure
from clusters.services.operations import operation_abort, operation_retry
from clusters.services.virtual_clusters import virtual_cluster_delete
from provisioning.drivers.kinds import NAMESPACE, PERSISTENT_VOLUME_CLAIM, STATEFUL_SET
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError
from provisioning.engine.flow import step
from provisioning.failpoints import FailpointReached
from provisioning.flows.delete import DELETE
from provisioning.flows.export import EXPORT
from provisioning.steps.exporting import export_before
from provisioning.steps.release import PAUSED
from tests.accounts.conftest import MARINA
from tests.e2e.in_process import operation_finish
from tests.fakes.cluster import Request
from tests.provisioning.shops import Shop, fresh, operation_of

CHART_VALUES = {"controlPlane": {"note": "what-the-chart-was-given"}}


def kept(export: Export) -> timedelta:
    """For how long, from its end."""
    assert export.expires_at
    assert export.finished_at
    return export.expires_at - export.finished_at


def content(export: Export) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    with export_opened(export.storage_name) as file:
        reader = ExportReader(file, key_of(export))
        return reader.about, list(reader.objects()), reader.manifest


def test_everything_of_a_user_is_in_it_encrypted_and_told(shop):
    export = shop.export()
    assert (export.state, export.message, export.operation.state) == ("Complete", "", "Succeeded")
    about, objects, manifest = content(export)
    assert (about["cluster"], about["name"], about["kubernetes_version"]) == (str(shop.cluster.pk), "shop", "1.36.3")
    assert [(each["kind"], each["metadata"]["name"]) for each in objects] == [("Namespace", "shop"), ("Secret", "door")]
    assert manifest["counts"] == export.counts == {"v1/Namespace": 1, "v1/Secret": 1}
    assert manifest["left_out"] == export.left_out != []
    assert (export.objects_count, export.kubernetes_version, len(export.digest)) == (2, "1.36.3", 64)
    assert set(manifest["digests"]) == {"v1/Namespace//shop", "v1/Secret/shop/door"}
    (file,) = shop.files()
    assert export.size == file.stat().st_size
    assert (file.stat().st_mode & 0o777, shop.folder.stat().st_mode & 0o777) == (0o600, 0o700)
    assert b"shop" not in file.read_bytes()
    assert export.operation.steps[0]["note"] == "2 objects of 2 kinds."


def test_what_was_not_read_because_its_own_server_is_silent_is_told_at_once(shop):
    inner = shop.fake.virtual(shop.placement.namespace, f"{shop.placement.release}-0")
    plain, named = inner.handle, {"name": "v1beta1.metrics.k8s.io"}
    stale = {"metadata": {"name": "metrics.k8s.io"}, "versions": [{"version": "v1beta1", "freshness": "Stale"}]}

    def handle(request: Request) -> Any:
        if request.path.endswith("/apiservices/v1beta1.metrics.k8s.io"):
            return {"metadata": named, "spec": {"service": {"name": "metrics", "namespace": "kube-system"}}}
        answer = plain(request)
        return {**answer, "items": [*answer["items"], stale]} if request.path == "/apis" else answer

    inner.handle = handle
    export = shop.export()
    assert export.state == "Complete"
    assert export.operation.steps[0]["note"] == (
        "2 objects of 2 kinds. Not read, because their own API server does not answer: metrics.k8s.io/v1beta1."
    )


def test_it_knows_what_the_cluster_was_like_and_keeps_that_encrypted(shop):
    VirtualCluster.objects.update(values=CHART_VALUES)
    export = shop.export()
    spec = spec_of(export)
    assert spec["values"] == CHART_VALUES
    assert (spec["kubernetes_version"], spec["size"], spec["host"]) == ("1.36.3", "small", "east")
    assert b"what-the-chart" not in bytes(export.spec)


@pytest.mark.parametrize(("cause", "days"), [("request", 30), ("schedule", 30), ("delete", 7)])
def test_it_is_kept_for_as_long_as_its_cause_says(shop, settings, cause, days):
    settings.EXPORT_DELETED_DAYS = 7
    flow = EXPORT if cause != "delete" else replace(EXPORT, steps=(export_before(cause),))
    asked = shop.ask(cause=cause)
    operation_finish(operation_of(asked), flows={EXPORT.kind: flow})
    export = fresh(asked)
    assert export.cause == cause
    assert kept(export) == timedelta(days=days)


def test_a_storage_that_refuses_leaves_nothing_but_a_failed_row_with_the_reason(shop):
    shop.folder.write_text("no folder")
    export = shop.export()
    assert (export.state, export.operation.state, export.operation.error_code) == ("Failed", "Failed", "export-storage")
    assert export.message.startswith("The storage for exports did not write an export: ")
    assert "Whoever runs Marina can make room" in export.operation.error_hint
    assert (export.key, export.size, export.counts) == (None, 0, {})
    shop.folder.unlink()
    operation_finish(operation_retry(operation=export.operation, actor=MARINA, now=timezone.now()))
    assert (fresh(export).state, fresh(export).message, len(shop.files())) == ("Complete", "", 1)


def test_a_cluster_that_went_away_in_the_middle_leaves_nothing_but_a_failed_row(shop):
    asked = shop.ask()
    inner = shop.fake.virtual(shop.placement.namespace, f"{shop.placement.release}-0")
    inner.access.admin_token = ""
    shop.fake._inner[next(iter(shop.fake._inner))][1].close()
    operation_finish(operation_of(asked))
    export = fresh(asked)
    assert (export.state, operation_of(export).state) == ("Failed", "Failed")
    assert shop.files() == []
    assert list(shop.folder.parent.joinpath("state").glob("tmp*")) == []


def test_one_that_is_asleep_is_not_exported_and_the_way_out_is_named(shop):
    asked = shop.ask()
    paused(shop)
    operation = operation_finish(operation_of(asked))
    assert (operation.state, operation.error_code, operation.error_hint) == (
        "Failed",
        "asleep",
        "Wake it (marina wake shop).",
    )
    assert (fresh(asked).state, fresh(asked).message) == ("Failed", operation.error_message)


def paused(shop: Shop, mark: str | None = "true") -> None:
    placement, wanted = shop.placement, {"metadata": {"annotations": {PAUSED: mark}}, "spec": {"replicas": 0}}
    with connection_open(shop.fake.connection, target="host of the test") as api:
        KubeClient(api).patch_merge(STATEFUL_SET, placement.release, placement.namespace, wanted)


def deleting(shop: Shop, **params: Any) -> Operation:
    """The step of a deletion by itself: what the deletion would do next is not done."""
    asked = shop.ask(cause="delete")
    operation = operation_of(asked)
    asked.delete()
    operation.params = params
    operation.save(update_fields=["params"])
    flow = replace(EXPORT, steps=(export_before("delete"),))
    return operation_finish(operation, flows={EXPORT.kind: flow})


def test_a_deletion_exports_first_unless_it_is_for_good(shop):
    purged = deleting(shop, purge=True)
    assert (purged.state, Export.objects.count()) == ("Succeeded", 0)
    assert "without an export" in purged.steps[0]["note"]
    assert deleting(shop).state == "Succeeded"
    assert Export.objects.get().cause == "delete"


def test_a_deletion_of_one_that_is_asleep_keeps_its_last_export_for_as_long_as_a_new_one(shop, settings):
    settings.EXPORT_DAYS, settings.EXPORT_DELETED_DAYS = 2, 9
    before = shop.export()
    paused(shop)
    VirtualCluster.objects.update(sleeping=True, asleep_since=before.finished_at)
    operation = deleting(shop)
    assert operation.state == "Succeeded"
    assert "its last export is of" in operation.steps[0]["note"]
    assert kept(fresh(before)) > timedelta(days=8)


def test_a_deletion_of_one_that_is_asleep_and_was_never_exported_ends_before_anything_is_lost(shop):
    paused(shop)
    VirtualCluster.objects.update(sleeping=True, asleep_since=timezone.now())
    operation = deleting(shop)
    assert (operation.state, operation.error_code) == ("Failed", "asleep")
    assert "marina wake shop" in operation.error_hint
    assert "--purge" in operation.error_hint


def test_a_deletion_of_one_that_was_paused_long_after_its_last_export_ends_before_anything_is_lost(shop):
    before = shop.export()
    paused(shop)
    assert before.finished_at
    VirtualCluster.objects.update(sleeping=True, asleep_since=before.finished_at + timedelta(hours=2))
    operation = deleting(shop)
    assert (operation.state, operation.error_code) == ("Failed", "asleep")
    assert f"its last export is of {before.finished_at:%Y-%m-%d %H:%M} UTC" in operation.error_message


@pytest.mark.parametrize("days", [0, 21])
def test_a_deletion_of_one_that_was_stopped_on_its_host_leans_on_no_export_from_before(shop, days):
    before = shop.export()
    Export.objects.filter(pk=before.pk).update(finished_at=timezone.now() - timedelta(days=days))
    paused(shop, mark=None)  # nobody saw since when
    assert VirtualCluster.objects.get().asleep_since is None
    operation = deleting(shop)
    assert (operation.state, operation.error_code) == ("Failed", "asleep")
    assert operation.error_message.startswith("It was stopped on its host and was not exported right before")
    assert "marina configure shop" in operation.error_hint, "nothing wakes what is not marked as asleep"
    assert "--purge" in operation.error_hint


def test_a_deletion_of_one_that_is_asleep_leans_on_no_export_that_cannot_be_read(shop):
    before = shop.export()
    paused(shop)
    VirtualCluster.objects.update(sleeping=True, asleep_since=before.finished_at)
    (file,) = shop.files()
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    assert (deleting(shop).error_code, deleting(shop).state) == ("export-damaged", "Failed")
    file.unlink()
    assert (deleting(shop).error_code, deleting(shop).state) == ("storage", "Failed")
    file.write_bytes(whole)
    assert deleting(shop).state == "Succeeded"


def vanished(shop: Shop) -> None:
    with connection_open(shop.fake.connection, target="host of the test") as api:
        assert KubeClient(api).delete(STATEFUL_SET, shop.placement.release, shop.placement.namespace)


def claims(shop: Shop) -> list[str]:
    with connection_open(shop.fake.connection, target="host of the test") as api:
        found = KubeClient(api).list(PERSISTENT_VOLUME_CLAIM, shop.placement.namespace)
    return [each["metadata"]["name"] for each in found]


def test_a_deletion_of_one_whose_control_plane_is_gone_but_not_its_state_ends_before_anything_is_lost(shop):
    before = shop.export()
    vanished(shop)
    deletion = {"virtual_cluster": shop.cluster, "actor": Actor(user=shop.world.olivia), "now": timezone.now()}
    operation = operation_finish(virtual_cluster_delete(**deletion).operation)
    assert (operation.state, operation.error_code) == ("Failed", "vanished")
    assert f"its last export is of {before.finished_at:%Y-%m-%d %H:%M} UTC" in operation.error_message
    assert "marina configure shop" in operation.error_hint
    assert "--purge" in operation.error_hint
    assert len(claims(shop)) == 1
    assert operation_finish(virtual_cluster_delete(**deletion, purge=True).operation).state == "Succeeded"


@step("Somebody pulls the plug")
def stop_half_way(context: StepContext) -> None:
    raise PermanentError("The plug was pulled.", code="plug")


@pytest.mark.parametrize(("purge", "last"), [(False, "; its last export is of "), (True, ".")])
def test_a_second_deletion_is_not_held_up_by_what_the_first_one_took(shop, purge, last):
    asked = virtual_cluster_delete(virtual_cluster=shop.cluster, actor=MARINA, now=timezone.now(), purge=purge)
    exported, uninstalled, *rest = DELETE.steps
    flow = replace(DELETE, steps=(exported, uninstalled, stop_half_way, *rest))
    assert operation_finish(asked.operation, flows={DELETE.kind: flow}).error_code == "plug"
    assert len(claims(shop)) == 1
    operation = deleting(shop)
    assert operation.state == "Succeeded"
    assert operation.steps[0]["note"].startswith(f"A deletion before took its control plane away{last}")


def test_of_one_that_is_gone_from_its_host_with_its_state_there_is_nothing_to_export(shop):
    placement = shop.placement
    with connection_open(shop.fake.connection, target="host of the test") as api:
        kube, until = KubeClient(api), monotonic() + 10
        assert kube.delete(NAMESPACE, placement.namespace)
        while kube.get(NAMESPACE, placement.namespace):
            assert monotonic() < until
    assert deleting(shop).steps[0]["note"] == "Nothing of it is on the host."


def test_a_deletion_of_one_of_which_nothing_is_left_needs_no_export(shop):
    vanished(shop)
    with connection_open(shop.fake.connection, target="host of the test") as api:
        for claim in KubeClient(api).list(PERSISTENT_VOLUME_CLAIM, shop.placement.namespace):
            KubeClient(api).delete(PERSISTENT_VOLUME_CLAIM, claim["metadata"]["name"], shop.placement.namespace)
    assert deleting(shop).state == "Succeeded"


def test_a_deletion_that_could_not_export_took_nothing_and_purging_ends_it(shop):
    shop.folder.write_text("no folder")
    now, actor = timezone.now(), Actor(user=shop.world.olivia)
    failed = operation_finish(virtual_cluster_delete(virtual_cluster=shop.cluster, actor=actor, now=now).operation)
    assert (failed.state, failed.error_code) == ("Failed", "export-storage")
    cluster = VirtualCluster.objects.get()
    assert cluster.phase == "Ready"
    with connection_open(shop.fake.connection, target="host of the test") as api:
        assert KubeClient(api).get(STATEFUL_SET, shop.placement.release, shop.placement.namespace)
    mended = virtual_cluster_configure(virtual_cluster=cluster, actor=actor, now=now)
    assert operation_finish(mended.operation).state == "Succeeded", "it is there as before"
    purging = virtual_cluster_delete(virtual_cluster=cluster, actor=actor, now=now, purge=True).operation
    assert operation_finish(purging).state == "Succeeded"
    assert VirtualCluster.objects.get().phase == "Deleted"
    assert not Export.objects.filter(state="Complete").exists()


def test_nothing_is_taken_once_the_export_that_a_deletion_leans_on_was_removed(shop):
    """Between two steps, or before it is tried again."""

    @step("Somebody removes it")
    def remove(context: StepContext) -> None:
        Export.objects.update(state="Removed")

    exported, *rest = DELETE.steps
    asked = virtual_cluster_delete(virtual_cluster=shop.cluster, actor=MARINA, now=timezone.now()).operation
    operation = operation_finish(asked, flows={DELETE.kind: replace(DELETE, steps=(exported, remove, *rest))})
    assert (operation.state, operation.error_code) == ("Failed", "no-export")
    assert "marina delete shop" in operation.error_hint
    with connection_open(shop.fake.connection, target="host of the test") as api:
        assert KubeClient(api).get(STATEFUL_SET, shop.placement.release, shop.placement.namespace)
    again = virtual_cluster_delete(virtual_cluster=shop.cluster, actor=MARINA, now=timezone.now()).operation
    assert operation_finish(again).state == "Succeeded"
    assert Export.objects.get(operation=again).state == "Complete"


@pytest.mark.parametrize("kept", [{"cleanup_state": ""}, {"deletion_protection": True}])
def test_what_the_sweep_began_takes_nothing_of_a_cluster_that_is_kept_meanwhile(shop, kept):
    begun = virtual_cluster_delete(virtual_cluster=shop.cluster, actor=MARINA, now=timezone.now()).operation
    Operation.objects.filter(pk=begun.pk).update(params={"cleanup": True})
    VirtualCluster.objects.update(**{"cleanup_state": "deleting", **kept})
    operation = operation_finish(begun)
    assert (operation.state, operation.error_code) == ("Failed", "kept")
    assert VirtualCluster.objects.get().phase == "Ready"
    assert not Export.objects.exists()


def test_what_the_sweep_began_is_done_where_nobody_kept_it(shop):
    begun = virtual_cluster_delete(virtual_cluster=shop.cluster, actor=MARINA, now=timezone.now()).operation
    Operation.objects.filter(pk=begun.pk).update(params={"cleanup": True})
    VirtualCluster.objects.update(cleanup_state="deleting")
    assert operation_finish(begun).state == "Succeeded"
    assert Export.objects.get().state == "Complete"


def test_a_deletion_under_way_can_be_told_to_purge(shop):
    now, actor = timezone.now(), Actor(user=shop.world.olivia)
    first = virtual_cluster_delete(virtual_cluster=shop.cluster, actor=actor, now=now)
    again = virtual_cluster_delete(virtual_cluster=shop.cluster, actor=actor, now=now, purge=True)
    assert (again.operation.pk, again.created) == (first.operation.pk, True)
    assert not virtual_cluster_delete(virtual_cluster=shop.cluster, actor=actor, now=now, purge=True).created
    assert operation_finish(first.operation).state == "Succeeded"
    assert not Export.objects.exists()


def test_a_deletion_that_cannot_export_says_how_to_do_without(shop):
    shop.folder.write_text("no folder")
    operation = deleting(shop)
    assert operation.state == "Failed"
    assert "marina delete shop --purge" in operation.error_hint


def test_one_whose_api_never_answered_holds_nothing_to_export(shop):
    Placement.objects.update(kubernetes_version="")
    operation = deleting(shop)
    assert (operation.state, Export.objects.count()) == ("Succeeded", 0)


def test_what_a_worker_stored_before_it_was_killed_gives_way_to_its_successors_file(shop, monkeypatch):
    asked = shop.ask()
    monkeypatch.setenv("MARINA_FAILPOINT", "export.stored:raise")
    with pytest.raises(FailpointReached):
        operation_finish(operation_of(asked))
    assert len(shop.files()) == 1
    monkeypatch.delenv("MARINA_FAILPOINT")
    Operation.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    operation_finish(operation_of(asked))
    assert fresh(asked).state == "Complete"
    assert [str(each.relative_to(shop.folder)) for each in shop.files()] == [fresh(asked).storage_name]
    assert len(content(fresh(asked))[1]) == 2


class TakenOver(ExportFolder):
    """Another worker takes the operation over while the first file is stored."""

    stored: ClassVar[list[str]] = []

    def _save(self, name: str, content: IO[Any]) -> str:
        kept = super()._save(name, content)
        if not self.stored:
            past = timezone.now() - timedelta(seconds=1)
            Operation.objects.filter(kind="export").update(lease_token=F("lease_token") + 1, lease_expires_at=past)
        self.stored.append(kept)
        return kept


def test_a_worker_that_lost_its_lease_ends_no_export_and_takes_its_own_file_away(shop, settings):
    TakenOver.stored.clear()
    backend = {"BACKEND": f"{__name__}.TakenOver", "OPTIONS": {"location": str(shop.folder)}}
    settings.STORAGES = {**settings.STORAGES, "exports": backend}
    export = shop.export()
    first, second = TakenOver.stored
    assert (export.state, export.storage_name) == ("Complete", second)
    assert [str(each.relative_to(shop.folder)) for each in shop.files()] == [second]
    assert first != second
    assert len(content(export)[1]) == 2


def test_an_export_that_waited_when_it_was_aborted_says_so(shop):
    first, second = shop.ask(), shop.ask()
    assert first.pk != second.pk
    operation_abort(operation=second.operation, actor=MARINA, now=timezone.now())
    assert (fresh(second).state, fresh(second).message) == ("Failed", "Aborted by tests.")


def test_a_file_that_was_changed_is_refused_when_it_is_read(shop):
    export = shop.export()
    (file,) = shop.files()
    changed = bytearray(file.read_bytes())
    changed[-20] ^= 1
    file.write_bytes(changed)
    with pytest.raises(ExportDamaged, match="part 1"):
        content(export)
