"""A move of what others make, fill in or take away: tokens, what Pods and Jobs own, objects of a kind that goes."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dev.waiting import wait_until
from localkube import LocalHost, Tools
from provisioning.drivers.errors import NotFound
from provisioning.drivers.kinds import (
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    JOB,
    POD,
    SECRET,
    Json,
    Kind,
)
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.flows.migrate import MIGRATE
from tests.accounts.conftest import world_make
from tests.e2e.moving_here import Scene, scene_made, scene_settings, with_step

pytestmark = [pytest.mark.localkube, pytest.mark.timeout(600)]

SPACE = "shop"
TILL = Kind("shop.example/v1", "Till", "tills", namespaced=True)
DEFINITION = f"{TILL.plural}.{TILL.group}"


@pytest.fixture
def scene(db: None, local_hosts: Mapping[str, LocalHost], tools: Tools, settings: Any, tmp_path: Path) -> Scene:
    scene_settings(settings, tools, tmp_path)
    return scene_made(world_make(), local_hosts, "owned")


def put(kube: KubeClient, kind: Kind, name: str, *, owner: Json | None = None, **parts: Any) -> Json:
    meta = {"name": name, "namespace": SPACE, **parts.pop("meta", {})}
    if owner is not None:
        named = {"name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
        meta["ownerReferences"] = [{"apiVersion": owner["apiVersion"], "kind": owner["kind"], **named}]
    manifest = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, **parts}
    return kube.create_as(kind, manifest, manager="kubectl")


def definition_put(kube: KubeClient) -> None:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    spec = {
        "group": TILL.group,
        "scope": "Namespaced",
        "names": {"kind": TILL.kind, "plural": TILL.plural, "singular": "till"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
    }
    api_version, kind = CUSTOM_RESOURCE_DEFINITION.api_version, CUSTOM_RESOURCE_DEFINITION.kind
    kube.apply({"apiVersion": api_version, "kind": kind, "metadata": {"name": DEFINITION}, "spec": spec})
    wait_until(lambda: served(kube), seconds=30, what="the kind is not served")


def served(kube: KubeClient) -> bool:
    try:
        return kube.list(TILL) is not None
    except NotFound:
        return False


def belongings_put(kube: KubeClient) -> None:
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    kube.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot", "namespace": SPACE}})
    of_robot = {"annotations": {"kubernetes.io/service-account.name": "robot"}}
    put(kube, SECRET, "robot", meta=of_robot, type="kubernetes.io/service-account-token")
    containers = [{"name": "it", "image": "it"}]
    pod = put(kube, POD, "driver", spec={"containers": containers, "nodeSelector": {"there-is": "none"}})
    put(kube, CONFIG_MAP, "of-pod", owner=pod)
    template = {"spec": {"containers": containers, "restartPolicy": "Never"}}
    job = put(kube, JOB, "load", spec={"parallelism": 0, "template": template})
    put(kube, CONFIG_MAP, "result", owner=job)
    definition_put(kube)
    put(kube, TILL, "front", meta={"finalizers": ["shop.example/outside"]})
    wait_until(lambda: bool(token_of(kube)), seconds=30, what="no token was filled in")


def token_of(kube: KubeClient) -> str:
    return str(((kube.get(SECRET, "robot", SPACE) or {}).get("data") or {}).get("token", ""))


def job_ends(kube: KubeClient) -> None:
    """As its controller says it, which has begun it."""
    wait_until(
        lambda: "startTime" in ((kube.get(JOB, "load", SPACE) or {}).get("status") or {}),
        seconds=30,
        what="it did not begin",
    )
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    met = [
        {"type": name, "status": "True", "lastProbeTime": now, "lastTransitionTime": now}
        for name in ("SuccessCriteriaMet", "Complete")
    ]
    status = {"conditions": met, "completionTime": now}
    kube.patch_merge(JOB, "load", SPACE, {"status": status}, subresource="status")


def definition_goes(kube: KubeClient) -> None:
    """As where an operator is at work that sees to the finalizers."""
    kube.patch_merge(TILL, "front", SPACE, {"metadata": {"finalizers": None}})
    kube.delete(CUSTOM_RESOURCE_DEFINITION, DEFINITION)
    gone_wait(kube)


def gone_wait(kube: KubeClient) -> None:
    wait_until(lambda: kube.get(CUSTOM_RESOURCE_DEFINITION, DEFINITION) is None, seconds=60, what="it did not end")


def test_what_others_fill_in_make_again_or_take_away_is_as_it_was_where_it_goes(scene: Scene) -> None:
    tokens: list[str] = []

    def happens(context: StepContext) -> None:
        with context.virtual() as source:
            tokens.append(token_of(source))
            job_ends(source)
            definition_goes(source)

    with scene.inside() as kube:
        belongings_put(kube)
    operation = scene.move(to=scene.there, flow=with_step(MIGRATE, "copy-objects", "happens", happens))
    assert operation.state == "Succeeded", operation.message
    with scene.inside() as kube:
        wait_until(lambda: bool(token_of(kube)), seconds=30, what="no token was filled in")
        assert token_of(kube) not in tokens
        assert kube.get(CONFIG_MAP, "of-pod", SPACE) is None
        assert kube.get(JOB, "load", SPACE) is None
        result = kube.get(CONFIG_MAP, "result", SPACE)
        assert result is not None
        assert "ownerReferences" not in result["metadata"]
        gone_wait(kube)
        definition_put(kube)
        assert kube.list(TILL) == [], "none rises again with its kind"
