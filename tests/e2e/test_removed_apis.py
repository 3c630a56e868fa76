"""Who uses APIs that the next version serves no more, found by asking a real API server which serves one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from clusters.models import HostCluster
from clusters.preflight import REPORT
from clusters.services.upgrading import VersionChange, upgrade_preflight
from localkube import LocalHost, Tools
from provisioning.drivers.kinds import Json, Kind
from tests.accounts.conftest import world_make
from tests.e2e.in_process import operation_finish
from tests.e2e.moving_here import Scene, scene_made, scene_settings

pytestmark = [pytest.mark.localkube, pytest.mark.django_db(transaction=True)]

NEXT = "1.37.1"
OLD, NEW = (
    Kind(f"networking.k8s.io/{version}", "ServiceCIDR", "servicecidrs", namespaced=False)
    for version in ("v1beta1", "v1")
)
"""The first is served up to Kubernetes 1.36, where somebody switched it on."""
SERVED = {
    "controlPlane": {"distro": {"k8s": {"apiServer": {"extraArgs": [f"--runtime-config={OLD.api_version}=true"]}}}},
}


def service_cidr(name: str, kind: Kind) -> Json:
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": name},
        "spec": {"cidrs": ["10.200.0.0/24"]},
    }


@pytest.fixture
def scene(local_hosts: Mapping[str, LocalHost], tools: Tools, settings: Any, tmp_path: Path) -> Scene:
    """On a host whose clusters serve it; the next version is offered, and would run there."""
    scene_settings(settings, tools, tmp_path)
    made = scene_made(world_make(), local_hosts, "old-timer", values=SERVED)
    settings.KUBERNETES_VERSIONS = [NEXT, "1.36.3"]
    settings.CHART_KUBERNETES_VERSIONS = "1.32-1.37"
    HostCluster.objects.filter(pk=made.here.pk).update(kubernetes_version=NEXT)
    return made


def test_clients_and_objects_of_an_api_that_goes_are_named_with_what_takes_its_place(
    scene: Scene,
) -> None:
    with scene.inside() as inside:
        for name, kind in (("old", OLD), ("new", NEW)):
            inside.create_as(kind, service_cidr(name, kind), manager="somebody")
    found = {each["about"]: each for each in looked_ahead(scene)["findings"] if each["code"] == "removed-api"}
    assert set(found) == {f"{OLD.plural} of {OLD.api_version}", "ServiceCIDR old"}
    asked, written = found[f"{OLD.plural} of {OLD.api_version}"], found["ServiceCIDR old"]
    assert "from Kubernetes 1.37 on it is not served any more" in asked["message"]
    assert f"written as {OLD.api_version} by somebody" in written["message"]
    assert "Write it as networking.k8s.io/v1." in written["hint"]
    assert {each["weight"] for each in found.values()} == {"choice"}


def looked_ahead(scene: Scene) -> dict[str, Any]:
    operation = upgrade_preflight(
        virtual_cluster=scene.cluster,
        actor=scene.actor,
        now=timezone.now(),
        change=VersionChange(kubernetes_version=NEXT),
    )
    ended = operation_finish(operation)
    assert ended.state == "Succeeded", ended.message
    report: dict[str, Any] = ended.params[REPORT]
    return report
