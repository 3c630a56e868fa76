"""Upgrades on a fake host: forward hop by hop, back where that is safe, and told where it is not."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from django.utils import timezone

from accounts.services.audit import Actor
from clusters.models import Export, Operation, VirtualCluster
from clusters.services.configuring import virtual_cluster_configure
from clusters.services.operations import operation_abort, operation_retry
from clusters.services.sleeping import virtual_cluster_sleep, virtual_cluster_wake
from clusters.services.upgrading import VersionChange, upgrade_preflight, virtual_cluster_upgrade
from dev.waiting import wait_until
from provisioning.drivers.clients import Clients
from provisioning.drivers.kinds import DEPLOYMENT, POD, SECRET, STATEFUL_SET
from provisioning.steps.release import PAUSED
from tests.accounts.conftest import MARINA
from tests.e2e.in_process import operation_finish, runner_here
from tests.fakes.answers import Refusal
from tests.fakes.cluster import Request
from tests.fakes.host import FakeHost
from tests.provisioning.shops import Shop

OLD, NEW = "1.35.4", "1.36.3"


@pytest.fixture(autouse=True)
def no_patience(settings) -> None:
    settings.IMAGE_PULL_PATIENCE_SECONDS = 0.0
    settings.KUBERNETES_VERSIONS = ["1.36.3", "1.35.4", "1.34.9"]


@pytest.fixture
def older(shop: Shop) -> Shop:
    """The shop with the older Kubernetes."""
    return at(shop, OLD)


def at(shop: Shop, version: str) -> Shop:
    """As if it had been made with that version."""
    VirtualCluster.objects.filter(pk=shop.cluster.pk).update(kubernetes_version=version)
    shop.cluster.refresh_from_db()
    configured = virtual_cluster_configure(virtual_cluster=shop.cluster, actor=MARINA, now=timezone.now()).operation
    assert operation_finish(configured).state == "Succeeded"
    return shop


def asked(shop: Shop, to: str = NEW, **choices: str) -> Operation:
    actor = Actor(user=shop.world.olivia)
    change = VersionChange(kubernetes_version=to)
    return virtual_cluster_upgrade(
        virtual_cluster=shop.cluster, actor=actor, now=timezone.now(), change=change, choices=choices
    ).operation


def upgraded(shop: Shop, to: str = NEW, **choices: str) -> Operation:
    return operation_finish(asked(shop, to, **choices))


def cluster(shop: Shop) -> VirtualCluster:
    return VirtualCluster.objects.get(pk=shop.cluster.pk)


def condition(shop: Shop, name: str) -> dict[str, Any]:
    return next(each for each in cluster(shop).conditions if each["type"] == name)


def standing(shop: Shop) -> tuple[str, str, str]:
    """Phase, version wanted, version that its API says."""
    found = cluster(shop)
    return found.phase, found.kubernetes_version, shop.placement.kubernetes_version


def states(operation: Operation) -> dict[str, str]:
    return {step["key"]: step["state"] for step in operation.steps}


def report(shop: Shop, to: str = NEW) -> dict[str, Any]:
    actor, change = Actor(user=shop.world.olivia), VersionChange(kubernetes_version=to)
    looked = operation_finish(
        upgrade_preflight(virtual_cluster=shop.cluster, actor=actor, now=timezone.now(), change=change)
    )
    assert looked.state == "Succeeded", looked.message
    found: dict[str, Any] = looked.params["report"]
    return found


def codes(found: dict[str, Any], weight: str) -> list[str]:
    return [each["code"] for each in found["findings"] if each["weight"] == weight]


def inside(shop: Shop) -> Any:
    return Clients().virtual(shop.placement, lambda: None)


def test_it_gets_the_new_version_and_keeps_what_is_in_it(older):
    before = cluster(older)
    operation = upgraded(older)
    assert operation.state == "Succeeded", operation.message
    assert standing(older) == ("Ready", NEW, NEW)
    after = cluster(older)
    assert after.generation == before.generation + 1 == after.observed_generation
    with inside(older) as virtual:
        assert virtual.get(SECRET, "door", "shop") is not None
    told = condition(older, "Upgraded")
    assert (told["status"], told["reason"]) == ("True", "Upgraded")
    assert "From Kubernetes 1.35.4" in told["message"]
    assert operation.params.keys() >= {"to", "has", "report"}
    assert not operation.params.keys() & {"way", "before"}


def test_everything_is_exported_before(older):
    upgraded(older)
    export = Export.objects.get()
    assert (export.cause, export.state, export.kubernetes_version) == ("upgrade", "Complete", OLD)


def test_a_configure_afterwards_finds_nothing_to_bring_back(older):
    upgraded(older)
    revision = older.placement.values_digest
    configured = virtual_cluster_configure(virtual_cluster=cluster(older), actor=MARINA, now=timezone.now()).operation
    assert operation_finish(configured).state == "Succeeded"
    assert older.placement.values_digest == revision
    assert standing(older) == ("Ready", NEW, NEW)


def test_two_minors_are_two_hops_and_each_is_seen_to_answer(shop):
    at(shop, "1.34.9")
    seen, pod = [], (shop.placement.namespace, f"{shop.placement.release}-0")

    def note(request: Any) -> None:
        found = shop.fake.virtual(*pod)
        seen.append(found.version if found else "")

    shop.fake.cluster.after.append(note)
    operation = upgraded(shop)
    assert operation.state == "Succeeded", operation.message
    assert standing(shop) == ("Ready", NEW, NEW)
    assert operation.params["report"]["plan"][1:3] == [
        "Kubernetes 1.34.9 becomes Kubernetes 1.35.4.",
        "Kubernetes 1.35.4 becomes Kubernetes 1.36.3.",
    ]
    assert [version for version in dict.fromkeys(seen) if version] == ["1.34.9", "1.35.4", "1.36.3"]


def test_an_image_that_is_missing_is_told_in_its_words_and_put_back(older):
    older.fake.missing.add(NEW)
    before = cluster(older)
    operation = upgraded(older)
    assert (operation.state, operation.error_code) == ("Failed", "ImagePullBackOff")
    assert "not found" in operation.error_message
    assert standing(older) == ("Ready", OLD, OLD)
    after = cluster(older)
    assert after.generation == before.generation + 2 == after.observed_generation
    told = condition(older, "Upgraded")
    assert (told["status"], told["reason"]) == ("False", "PutBack")
    assert "not found" in told["message"]
    assert "It was put back: it has Kubernetes 1.35.4" in told["message"]
    assert condition(older, "Ready")["status"] == condition(older, "InSync")["status"] == "True"
    with inside(older) as virtual:
        assert virtual.get(SECRET, "door", "shop") is not None


def test_the_hops_before_the_one_that_failed_are_kept(shop):
    at(shop, "1.34.9")
    shop.fake.missing.add(NEW)
    assert upgraded(shop).state == "Failed"
    assert standing(shop) == ("Ready", "1.35.4", "1.35.4")


def test_what_was_put_back_can_be_tried_again(older):
    older.fake.missing.add(NEW)
    assert upgraded(older).state == "Failed"
    older.fake.missing.clear()
    assert upgraded(older).state == "Succeeded"
    assert standing(older) == ("Ready", NEW, NEW)
    assert Export.objects.filter(cause="upgrade", state="Complete").count() == 2


def test_a_newer_minor_that_has_run_is_not_put_back_blindly(older, settings):
    settings.STEP_DEADLINE_SECONDS = 0.5
    older.fake.ailing.add(NEW)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("provisioning.steps.upgrade_undoing.STAYS_SECONDS", 0.3)
        operation = upgraded(older)
    assert (operation.state, operation.error_code) == ("Failed", "deadline")
    found = cluster(older)
    assert (found.phase, found.kubernetes_version) == ("Failed", NEW)
    told = condition(older, "Upgraded")
    assert told["reason"] == "Stays"
    assert "the older one could not read what that stored" in told["message"]
    assert "marina restore shop" in told["message"]
    assert condition(older, "Ready")["status"] == "False"


def test_one_that_ran_and_was_replaced_before_it_failed_has_run_all_the_same(older, settings):
    older.fake.ailing.add(NEW)
    operation, runner = asked(older), runner_here()

    def has_run() -> bool:
        runner.run(operation.pk)
        operation.refresh_from_db()
        return bool((operation.params.get("way") or {}).get("ran"))

    wait_until(has_run, seconds=20, what="it did not run")
    older.fake.ailing.clear()
    older.fake.missing.add(NEW)
    older.fake.restart(older.placement.namespace, f"{older.placement.release}-0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("provisioning.steps.upgrade_undoing.STAYS_SECONDS", 0.3)
        ended = operation_finish(operation)
    assert (ended.state, ended.error_code) == ("Failed", "ImagePullBackOff")
    assert condition(older, "Upgraded")["reason"] == "Stays"
    assert standing(older)[:2] == ("Failed", NEW)


@dataclass
class ControlPlane:
    """Of the shop, as its host has it: to be looked at while the host is asked for something."""

    fake: FakeHost
    namespace: str
    release: str

    @classmethod
    def of(cls, shop: Shop) -> "ControlPlane":
        return cls(shop.fake, shop.placement.namespace, shop.placement.release)

    def pod(self) -> Any:
        with self.fake.cluster.lock:
            return self.fake.cluster.store.find(POD, f"{self.release}-0", self.namespace)

    def replicas(self) -> tuple[int, bool]:
        """How many it has, and whether it bears marks of a pause."""
        with self.fake.cluster.lock:
            found = self.fake.cluster.store.get(STATEFUL_SET, self.release, self.namespace).value
        return found["spec"]["replicas"], PAUSED in (found["metadata"].get("annotations") or {})

    def gone(self, pod: Any) -> None:
        """Its end has come."""
        with self.fake.cluster.lock:
            self.fake.cluster.store.remove(pod)


def test_its_control_plane_has_ended_before_a_minor_is_put_back(older):
    older.fake.missing.add(NEW)
    plane, seen = ControlPlane.of(older), []

    def note(request):
        if "helm" in request.agent.lower() and "/statefulsets/" in request.path:
            seen.append((plane.replicas()[0], plane.pod() is not None))

    older.fake.cluster.before.append(note)
    assert upgraded(older).state == "Failed"
    assert seen == [(1, True), (0, False)], "once for the hop, once to put it back"
    assert standing(older) == ("Ready", OLD, OLD)
    assert plane.replicas() == (1, False)


def test_a_newer_minor_that_begins_to_run_while_it_is_put_back_stays(older):
    older.fake.missing.add(NEW)
    plane, began = ControlPlane.of(older), []

    def paused(request) -> bool:
        asks = isinstance(request.body, dict) and (request.body.get("spec") or {}).get("replicas") == 0
        return request.method == "PATCH" and "/statefulsets/" in request.path and asks

    def hold(request):
        if paused(request):
            plane.pod().meta["finalizers"] = ["test/ends-slowly"]

    def begin(request):
        if paused(request):
            older.fake.missing.clear()
            began.append(plane.pod())
            began[0].value["status"] = {"phase": "Running"}

    older.fake.cluster.before.append(hold)
    older.fake.cluster.after.append(begin)
    operation, runner = asked(older), runner_here()

    def known() -> bool:
        runner.run(operation.pk)
        operation.refresh_from_db()
        return bool(began) and bool(operation.params["way"]["ran"])

    wait_until(known, seconds=20, what="nobody saw that it ran")
    plane.gone(began[0])
    assert operation_finish(operation).state == "Failed"
    assert condition(older, "Upgraded")["reason"] == "Stays"
    assert standing(older) == ("Ready", NEW, NEW)
    assert plane.replicas() == (1, False)


def test_a_patch_that_does_not_get_ready_is_put_back_though_it_has_run(shop, settings):
    settings.KUBERNETES_VERSIONS = ["1.36.9", "1.36.3"]
    settings.STEP_DEADLINE_SECONDS = 0.5
    shop.fake.ailing.add("1.36.9")
    assert upgraded(shop, "1.36.9").state == "Failed"
    assert standing(shop) == ("Ready", "1.36.3", "1.36.3")
    assert condition(shop, "Upgraded")["reason"] == "PutBack"


def test_until_when_it_can_be_put_back_is_said_before(older, settings):
    settings.KUBERNETES_VERSIONS = ["1.36.3", "1.35.9", "1.35.4"]
    (minor,) = [each for each in report(older)["findings"] if each["code"] == "rollback"]
    assert "only until its control plane has started once" in minor["message"]
    (patch,) = [each for each in report(older, "1.35.9")["findings"] if each["code"] == "rollback"]
    assert patch["message"] == "If it fails, it is put back to the versions that it has now."


def test_one_that_is_aborted_before_its_new_version_runs_is_put_back(older):
    older.fake.missing.add(NEW)
    operation = asked(older)
    runner = runner_here()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.conf.settings.IMAGE_PULL_PATIENCE_SECONDS", 60.0)
        for _ in range(50):
            runner.run(operation.pk)
            operation.refresh_from_db()
            if "cannot be pulled" in operation.message or cluster(older).kubernetes_version == NEW:
                break
        operation_abort(operation=operation, actor=MARINA, now=timezone.now())
        operation = operation_finish(operation)
    assert operation.state == "Aborted"
    assert standing(older) == ("Ready", OLD, OLD)
    assert condition(older, "Upgraded")["reason"] == "AbortedPutBack"


def test_asleep_it_is_upgraded_asleep_and_wakes_as_the_new_version(older):
    actor = Actor(user=older.world.olivia)
    slept = virtual_cluster_sleep(virtual_cluster=older.cluster, actor=actor, now=timezone.now()).operation
    assert operation_finish(slept).state == "Succeeded"
    operation = upgraded(older)
    assert operation.state == "Succeeded", operation.message
    assert standing(older) == ("Asleep", NEW, OLD)
    assert list(Export.objects.values_list("cause", flat=True)) == ["sleep"]
    woken = virtual_cluster_wake(virtual_cluster=older.cluster, actor=actor, now=timezone.now()).operation
    assert operation_finish(woken).state == "Succeeded"
    assert standing(older) == ("Ready", NEW, NEW)
    told = [condition(older, each)["message"] for each in ("InSync", "Upgraded")]
    assert not [each for each in told if "it is asleep" in each or "when it wakes" in each], "that is over"


def test_asleep_it_goes_no_further_than_one_minor_also_in_two_upgrades(shop):
    at(shop, "1.34.9")
    actor = Actor(user=shop.world.olivia)
    slept = virtual_cluster_sleep(virtual_cluster=shop.cluster, actor=actor, now=timezone.now()).operation
    assert operation_finish(slept).state == "Succeeded"
    far = upgraded(shop)
    assert (far.state, far.error_code) == ("Failed", "asleep")
    assert "marina wake shop" in far.error_hint
    assert standing(shop)[:2] == ("Asleep", "1.34.9")
    assert upgraded(shop, "1.35.4").state == "Succeeded"
    assert upgraded(shop).error_code == "asleep"
    assert standing(shop)[:2] == ("Asleep", "1.35.4")


def test_asleep_it_is_told_where_nobody_has_run_that_version_on_its_host(older):
    actor = Actor(user=older.world.olivia)
    slept = virtual_cluster_sleep(virtual_cluster=older.cluster, actor=actor, now=timezone.now()).operation
    assert operation_finish(slept).state == "Succeeded"
    found = report(older)
    assert {"asleep", "image-unseen"} <= set(codes(found, "note"))
    assert found["expected"] == {}


def test_asleep_an_upgrade_over_which_apis_go_waits_for_a_choice(shop, settings):
    settings.KUBERNETES_VERSIONS = ["1.34.9", "1.33.9"]
    at(shop, "1.33.9")
    actor = Actor(user=shop.world.olivia)
    slept = virtual_cluster_sleep(virtual_cluster=shop.cluster, actor=actor, now=timezone.now()).operation
    assert operation_finish(slept).state == "Succeeded"
    refused = upgraded(shop, "1.34.9")
    assert (refused.state, refused.error_code) == ("Failed", "asleep")
    assert "ValidatingAdmissionPolicyBinding of admissionregistration.k8s.io/v1beta1" in refused.error_message
    assert "marina wake shop" in refused.error_hint
    assert "--removed-apis accept" in refused.error_hint
    assert standing(shop)[:2] == ("Asleep", "1.33.9")
    assert upgraded(shop, "1.34.9", **{"removed-apis": "accept"}).state == "Succeeded"
    assert standing(shop)[:2] == ("Asleep", "1.34.9")


@pytest.mark.parametrize(("has", "to", "weight"), [("1.33.9", "1.34.9", "choice"), ("1.34.9", "1.35.4", "note")])
def test_an_api_server_that_does_not_tell_who_asks_is_a_choice_only_where_apis_go(shop, settings, has, to, weight):
    settings.KUBERNETES_VERSIONS = [to, has]
    at(shop, has)
    virtual = shop.fake.virtual(shop.placement.namespace, f"{shop.placement.release}-0")
    plain = virtual.handle

    def handle(request: Request) -> Any:
        if request.path == "/metrics":
            raise Refusal(403, "Forbidden", "metrics is forbidden")
        return plain(request)

    virtual.handle = handle
    found = report(shop, to)
    assert "metrics" in codes(found, weight)
    (told,) = [each for each in found["findings"] if each["code"] == "metrics"]
    assert told["choice"] == ("removed-apis" if weight == "choice" else "")


def test_a_retry_goes_the_whole_way_again_with_an_export_of_its_own(older):
    older.fake.missing.add(NEW)
    operation = upgraded(older)
    assert operation.state == "Failed"
    older.fake.missing.clear()
    again = operation_retry(operation=operation, actor=MARINA, now=timezone.now())
    assert operation_finish(again).state == "Succeeded"
    assert standing(older) == ("Ready", NEW, NEW)
    exports = Export.objects.filter(cause="upgrade", state="Complete").order_by("id")
    assert [each.operation_id for each in exports] == [None, operation.pk]


def test_a_retry_of_one_that_stayed_waits_until_its_new_version_answers(older, settings):
    settings.STEP_DEADLINE_SECONDS = 0.5
    older.fake.ailing.add(NEW)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("provisioning.steps.upgrade_undoing.STAYS_SECONDS", 0.3)
        operation = upgraded(older)
    assert condition(older, "Upgraded")["reason"] == "Stays"
    older.fake.ailing.clear()
    older.fake.restart(older.placement.namespace, f"{older.placement.release}-0")
    settings.STEP_DEADLINE_SECONDS = 30.0
    again = operation_finish(operation_retry(operation=operation, actor=MARINA, now=timezone.now()))
    assert again.state == "Succeeded", again.message
    assert standing(older) == ("Ready", NEW, NEW)


def test_what_was_upgraded_outside_to_the_wanted_minor_is_not_put_back_under_it(older, settings):
    """Its row says the older version still; what the newer one stored the older one cannot read."""
    settings.STEP_DEADLINE_SECONDS = 0.5
    plane = ControlPlane.of(older)
    outside = older.fake.cluster.store.get(STATEFUL_SET, plane.release, plane.namespace)
    with older.fake.cluster.lock:
        text = json.dumps(outside.value).replace(f"v{OLD}", f"v{NEW}")
        older.fake.cluster.store.write(outside, json.loads(text))
    older.fake.restart(plane.namespace, f"{plane.release}-0")
    operation = asked(older)
    older.fake.ailing.add(NEW)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("provisioning.steps.upgrade_undoing.STAYS_SECONDS", 0.3)
        assert operation_finish(operation).state == "Failed"
    assert condition(older, "Upgraded")["reason"] == "Stays"


DEPRECATED = (
    'apiserver_requested_deprecated_apis{group="policy",removed_release="1.36",resource="poddisruptionbudgets",'
    'subresource="",version="v1beta1"} 1\n'
    'apiserver_requested_deprecated_apis{group="batch",removed_release="1.40",resource="cronjobs",subresource="",'
    'version="v1beta1"} 1\n'
)


def test_clients_that_ask_for_what_will_be_gone_are_found_and_it_waits_for_a_choice(older):
    placement = older.placement
    virtual = older.fake.virtual(placement.namespace, f"{placement.release}-0")
    assert virtual
    virtual.metrics = DEPRECATED
    found = report(older)
    (choice,) = [each for each in found["findings"] if each["weight"] == "choice"]
    assert choice["about"] == "poddisruptionbudgets of policy/v1beta1"
    assert choice["options"].keys() == {"accept"}
    refused = upgraded(older)
    assert (refused.state, refused.error_code) == ("Failed", "removed-api")
    assert "--removed-apis accept" in refused.error_hint
    assert standing(older) == ("Ready", OLD, OLD)
    assert not Export.objects.exists(), "nothing was begun"
    accepted = {"removed-apis": "accept"}
    assert upgraded(older, **accepted).state == "Succeeded"


def test_workloads_that_are_no_longer_ready_are_told_and_fail_nothing(older, monkeypatch):
    monkeypatch.setattr("provisioning.steps.upgrading.LIKE_BEFORE_SECONDS", 0.0)
    deployment = {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": {}}
    placement = older.placement
    virtual = older.fake.virtual(placement.namespace, f"{placement.release}-0")
    assert virtual
    made = {}
    for name, ready in (("web", 2), ("sick", 0)):
        status = {"readyReplicas": ready}
        made[name] = virtual.make(DEPLOYMENT, name, metadata={"namespace": "shop"}, spec={**deployment}, status=status)
    seen = []

    def after_the_hop(request):
        if "helm" in request.agent.lower():
            made["web"].value["status"]["readyReplicas"] = 1
            seen.append(request)

    older.fake.cluster.after.append(after_the_hop)
    operation = upgraded(older)
    assert seen
    assert operation.state == "Succeeded", operation.message
    told = condition(older, "Upgraded")
    assert told["reason"] == "Differs"
    assert "Deployment shop/web has 1 ready pods, and had 2." in told["message"]
    assert "sick" not in told["message"]
