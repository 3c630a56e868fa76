"""Upgrading the chart of a virtual cluster, alone or with its Kubernetes, and what is put back of that."""

import copy
import shutil
from dataclasses import replace

import pytest
from django.utils import timezone

from accounts.services.audit import Actor
from clusters.models import Operation
from clusters.services.upgrading import VersionChange, virtual_cluster_upgrade
from provisioning.drivers.kinds import POD
from tests.conftest import LOCAL_CHART
from tests.e2e.in_process import operation_finish
from tests.fakes.answers import Refusal
from tests.provisioning.shops import Shop
from tests.provisioning.test_upgrading import (  # noqa: F401
    NEW,
    OLD,
    ControlPlane,
    cluster,
    condition,
    no_patience,
    older,
    standing,
)


@pytest.fixture
def newer_chart(settings, tmp_path) -> VersionChange:
    """There is one of the next minor; the wish for it."""
    root = tmp_path / "charts"
    for version in ("0.36.1", "0.37.0"):
        folder = root / version
        shutil.copytree(LOCAL_CHART, folder)
        about = folder / "Chart.yaml"
        about.write_text(about.read_text().replace("0.36.1", version))
    settings.CHART_FOLDER = str(root)
    settings.CHART_VERSION, settings.CHART_VERSIONS = "0.37.0", {"0.36.1": "1.32-1.36"}
    return VersionChange(chart_version="0.37.0")


def chart_upgraded(shop: Shop, change: VersionChange) -> Operation:
    actor = Actor(user=shop.world.olivia)
    work = virtual_cluster_upgrade(virtual_cluster=shop.cluster, actor=actor, now=timezone.now(), change=change)
    return operation_finish(work.operation)


def test_a_chart_whose_image_is_missing_is_put_back_though_kubernetes_runs_as_before(shop, newer_chart):
    shop.fake.missing.add("0.37.0")
    operation = chart_upgraded(shop, newer_chart)
    assert (operation.state, operation.error_code) == ("Failed", "ImagePullBackOff")
    assert (cluster(shop).chart_version, shop.placement.chart_version) == ("0.36.1", "0.36.1")
    assert condition(shop, "Upgraded")["reason"] == "PutBack"
    assert standing(shop)[0] == "Ready"


def test_an_old_control_plane_that_is_made_anew_meanwhile_is_not_taken_for_the_newer_chart(shop, newer_chart):
    """As where one of several is drained while the first one of the newer chart hangs."""
    shop.fake.missing.add("0.37.0")
    plane, store = ControlPlane.of(shop), shop.fake.cluster.store
    labels, spec = plane.pod().meta["labels"], copy.deepcopy(plane.pod().value["spec"])

    def make_anew(request):
        if "helm" in request.agent.lower() and request.method == "PATCH" and "/statefulsets/" in request.path:
            shop.fake.cluster.after.remove(make_anew)
            meta = {"name": f"{plane.release}-1", "namespace": plane.namespace, "labels": labels}
            pod = {"metadata": meta, "spec": spec, "status": {"phase": "Running"}}
            store.apply(POD, pod, manager="test", force=True)

    def end(request):
        found = store.find(POD, f"{plane.release}-1", plane.namespace)
        if found and not plane.replicas()[0]:
            plane.gone(found)

    shop.fake.cluster.after += [make_anew, end]
    assert chart_upgraded(shop, newer_chart).state == "Failed"
    assert make_anew not in shop.fake.cluster.after
    assert condition(shop, "Upgraded")["reason"] == "PutBack"
    assert cluster(shop).chart_version == "0.36.1"


def test_a_chart_that_helm_cannot_install_stops_nothing(shop, newer_chart):
    plane, replicas = ControlPlane.of(shop), set()

    def refuse(request):
        replicas.add(plane.replicas())
        if "helm" in request.agent.lower() and "0.37.0" in str(request.body):
            raise Refusal(403, "Forbidden", "helm may not")

    shop.fake.cluster.before.append(refuse)
    assert chart_upgraded(shop, newer_chart).state == "Failed"
    assert replicas == {(1, False)}
    assert condition(shop, "Upgraded")["reason"] == "PutBack"
    assert standing(shop)[0] == "Ready"


def test_a_newer_minor_of_the_chart_that_has_run_is_not_put_back_blindly(shop, newer_chart, settings):
    settings.STEP_DEADLINE_SECONDS = 0.5
    shop.fake.ailing.add("1.36.3")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("provisioning.steps.upgrade_undoing.STAYS_SECONDS", 0.3)
        operation = chart_upgraded(shop, newer_chart)
    assert (operation.state, operation.error_code) == ("Failed", "deadline")
    assert cluster(shop).chart_version == "0.37.0"
    assert condition(shop, "Upgraded")["reason"] == "Stays"


def test_the_chart_is_upgraded_as_well_and_its_values_are_tried_before(older, newer_chart):  # noqa: F811
    operation = chart_upgraded(older, replace(newer_chart, kubernetes_version=NEW))
    assert operation.state == "Succeeded", operation.message
    assert standing(older) == ("Ready", NEW, NEW)
    assert (cluster(older).chart_version, older.placement.chart_version) == ("0.37.0", "0.37.0")
    assert operation.params["report"]["plan"][1:3] == [
        "Chart 0.36.1 becomes chart 0.37.0.",
        "Kubernetes 1.35.4 becomes Kubernetes 1.36.3.",
    ]


def test_a_chart_that_cannot_be_fetched_blocks_it_before_anything_is_done(older, settings):  # noqa: F811
    settings.CHART_VERSION = "0.37.0"
    actor, change = Actor(user=older.world.olivia), VersionChange(chart_version="0.37.0")
    work = virtual_cluster_upgrade(virtual_cluster=older.cluster, actor=actor, now=timezone.now(), change=change)
    operation = operation_finish(work.operation)
    assert (operation.state, operation.error_code) == ("Failed", "chart")
    assert "Chart 0.37.0 cannot be fetched" in operation.error_message
    assert standing(older) == ("Ready", OLD, OLD)
    assert condition(older, "Upgraded")["reason"] == "NotBegun"
