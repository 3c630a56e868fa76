"""A move of what real controllers would take the volumes of, as soon as it does not run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dev.waiting import wait_until
from localkube import LocalHost, Tools
from localkube.bootstrap import STORAGE_CLASS
from provisioning.drivers.kinds import PERSISTENT_VOLUME_CLAIM, POD, STATEFUL_SET, Json
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError
from provisioning.flows.migrate import MIGRATE
from tests.accounts.conftest import world_make
from tests.e2e.moving_here import Scene, scene_made, scene_settings, with_step

pytestmark = [pytest.mark.localkube, pytest.mark.timeout(600)]

SPACE, CLAIM = "shop", "data-db-0"
POLICY = "persistentVolumeClaimRetentionPolicy"


@pytest.fixture
def scene(db: None, local_hosts: Mapping[str, LocalHost], tools: Tools, settings: Any, tmp_path: Path) -> Scene:
    scene_settings(settings, tools, tmp_path)
    return scene_made(world_make(), local_hosts, "claims")


def database() -> Json:
    """Its claims go with its pods when it is scaled down."""
    labels = {"app": "db"}
    container = {"name": "main", "image": "db:1", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Mi"}},
        "storageClassName": STORAGE_CLASS,
    }
    return {
        "apiVersion": STATEFUL_SET.api_version,
        "kind": STATEFUL_SET.kind,
        "metadata": {"name": "db", "namespace": SPACE},
        "spec": {
            "replicas": 1,
            "serviceName": "db",
            POLICY: {"whenDeleted": "Retain", "whenScaled": "Delete"},
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
        },
    }


def claim(kube: KubeClient) -> Json | None:
    return kube.get(PERSISTENT_VOLUME_CLAIM, CLAIM, SPACE)


def claim_and_pod(kube: KubeClient) -> bool:
    return bool(claim(kube) and kube.get(POD, "db-0", SPACE))


def runs(kube: KubeClient) -> tuple[int, str]:
    spec = (kube.get(STATEFUL_SET, "db", SPACE) or {})["spec"]
    return spec["replicas"], spec[POLICY]["whenScaled"]


def scaled_down(kube: KubeClient) -> bool:
    found = kube.get(STATEFUL_SET, "db", SPACE) or {}
    seen = found["status"]["observedGeneration"] >= found["metadata"]["generation"]
    return seen and not found["status"].get("replicas") and kube.get(POD, "db-0", SPACE) is None


def test_a_move_takes_no_claim_of_a_stateful_set_whose_claims_go_when_it_is_scaled_down(scene: Scene) -> None:
    with scene.inside() as kube:
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
        kube.apply(database())
        wait_until(lambda: claim_and_pod(kube), seconds=60, what="it has no claim")
        uid = (claim(kube) or {})["metadata"]["uid"]
    seen: list[bool] = []

    def look(context: StepContext) -> None:
        with context.virtual() as source:
            wait_until(lambda: scaled_down(source), seconds=60, what="it was not scaled down")
            kept = (claim(source) or {})["metadata"]
            owners = [each["kind"] for each in kept.get("ownerReferences") or []]
            seen.append((kept["uid"], "deletionTimestamp" in kept, "Pod" in owners) == (uid, False, False))

    def fail(context: StepContext) -> None:
        look(context)
        raise PermanentError("Not today.", code="no")

    put_back = scene.move(to=scene.there, flow=with_step(MIGRATE, "stop-workloads-first", "fail", fail))
    assert (put_back.state, seen) == ("Failed", [True]), put_back.message
    with scene.inside() as kube:
        wait_until(lambda: claim_and_pod(kube), seconds=60, what="it was not started again")
        assert runs(kube) == (1, "Delete")
        assert (claim(kube) or {})["metadata"]["uid"] == uid
    scene.tidy()
    moved = scene.move(to=scene.there, flow=with_step(MIGRATE, "stop-workloads-last", "look", look))
    assert (moved.state, seen) == ("Succeeded", [True, True]), moved.message
    with scene.inside() as kube:
        wait_until(lambda: claim_and_pod(kube), seconds=60, what="it was not started where it went")
        assert runs(kube) == (1, "Delete")
        kube.patch_merge(STATEFUL_SET, "db", SPACE, {"spec": {"replicas": 0}})
        wait_until(
            lambda: claim(kube) is None, seconds=60, what="the controller takes no claims, so this shows nothing"
        )
