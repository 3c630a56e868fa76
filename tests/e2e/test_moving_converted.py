"""A move of a cluster that no host publishes, with objects that only a program converts which is not there."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from clusters.models import Exposure
from dev.waiting import wait_until
from localkube import LocalHost, Tools
from provisioning.drivers.kinds import CUSTOM_RESOURCE_DEFINITION, Json, Kind
from provisioning.drivers.kube import KubeClient
from tests.accounts.conftest import world_make
from tests.e2e.moving_here import Scene, scene_made, scene_settings

pytestmark = [pytest.mark.localkube, pytest.mark.timeout(600)]

SPACE = "shop"
OLD, NEW = (Kind(f"shop.example/{version}", "Till", "tills", namespaced=True) for version in ("v1beta1", "v1"))


@pytest.fixture
def scene(db: None, local_hosts: Mapping[str, LocalHost], tools: Tools, settings: Any, tmp_path: Path) -> Scene:
    """Between hosts that publish no address of it."""
    scene_settings(settings, tools, tmp_path)
    return scene_made(world_make(), local_hosts, "unusual", exposure=Exposure.NONE)


def converted() -> Json:
    """A kind that is served in two versions and stored in the older one; the program that converts is not there."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [
        {"name": kind.api_version.partition("/")[2], "served": True, "storage": kind is OLD, "schema": schema}
        for kind in (OLD, NEW)
    ]
    nobody = {"service": {"namespace": SPACE, "name": "nobody"}}
    conversion = {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": nobody}}
    return {
        "apiVersion": CUSTOM_RESOURCE_DEFINITION.api_version,
        "kind": CUSTOM_RESOURCE_DEFINITION.kind,
        "metadata": {"name": f"{OLD.plural}.{OLD.group}"},
        "spec": {
            "group": OLD.group,
            "scope": "Namespaced",
            "names": {"kind": OLD.kind, "plural": OLD.plural, "singular": "till"},
            "versions": versions,
            "conversion": conversion,
        },
    }


def obj(kind: Kind, name: str, **parts: Any) -> Json:
    meta = {"name": name, "namespace": SPACE}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, **parts}


def test_an_unpublished_cluster_moves_with_objects_that_nobody_there_can_convert(scene: Scene) -> None:
    with scene.inside() as kube:
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
        kube.apply(converted())
        wait_until(lambda: OLD.plural in served(kube), seconds=30, what="the kind is not served")
        kube.create_as(OLD, obj(OLD, "front", spec={"drawers": 2}), manager="somebody")
        with pytest.raises(Exception, match="conversion webhook"):
            kube.get(NEW, "front", SPACE)
    operation = scene.move(to=scene.there)
    assert operation.state == "Succeeded", operation.message
    assert (scene.placement().host, scene.placement().endpoint) == (scene.there, "")
    with scene.inside() as kube:
        assert (kube.get(OLD, "front", SPACE) or {})["spec"] == {"drawers": 2}
    back = scene.move(back=True)
    assert back.state == "Succeeded", back.message
    scene.tidy()


def served(kube: KubeClient) -> set[str]:
    return {each["name"] for each in kube.resources(OLD.api_version)}
