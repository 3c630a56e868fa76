"""Every road by which somebody who may do everything inside could write to a cluster while it is frozen."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clusters.connection import kubeconfig_render
from dev.waiting import wait_until
from localkube import LocalHost, Tools
from provisioning.drivers.clients import Clients, virtual_connection
from provisioning.drivers.kinds import CONFIG_MAP, DEPLOYMENT, Json
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.flows.migrate import MIGRATE
from provisioning.moving.freezing import NAME
from tests.accounts.conftest import world_make
from tests.commands import Answer, Kubectl
from tests.e2e.moving_here import Scene, scene_made, scene_settings, with_step

pytestmark = [pytest.mark.localkube, pytest.mark.timeout(600)]

SPACE = "shop"
EXEMPT = ("--as", "kubernetes-super-admin", "--as-group", "system:masters")
REFUSED: Mapping[str, tuple[str, ...]] = {
    "create": ("create", "configmap", "new", "-n", SPACE),
    "change": ("patch", "configmap", "settings", "-n", SPACE, "-p", '{"data": {"a": "2"}}'),
    "server-side apply": ("label", "configmap", "settings", "x=y", "-n", SPACE, "--overwrite"),
    "delete": ("delete", "configmap", "settings", "-n", SPACE, "--wait=false"),
    "delete all": ("delete", "configmaps", "--all", "-n", SPACE, "--wait=false"),
    "scale": ("scale", "deployment", "web", "--replicas", "5", "-n", SPACE),
    "status": (
        "patch",
        "deployment",
        "web",
        "-n",
        SPACE,
        "--subresource",
        "status",
        "--type",
        "merge",
        "-p",
        '{"status": {"replicas": 9}}',
    ),
    "a token": ("create", "token", "default", "-n", SPACE),
    "a namespace": ("create", "namespace", "other"),
    "as system:admin": (
        "create",
        "configmap",
        "new",
        "-n",
        SPACE,
        "--as",
        "system:admin",
        "--as-group",
        "system:masters",
    ),
    "as an account of kube-system": (
        "create",
        "configmap",
        "new",
        "-n",
        SPACE,
        "--as",
        "system:serviceaccount:kube-system:theirs",
        "--as-group",
        "system:masters",
    ),
}
"""What kubectl is told, as a cluster-admin by a token of an account inside."""
ASKED: Mapping[str, tuple[str, ...]] = {
    "read": ("get", "configmap", "settings", "-n", SPACE),
    "may I": ("auth", "can-i", "create", "configmaps"),
}


def obj(api_version: str, kind: str, name: str, namespace: str = "", **parts: Any) -> Json:
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **parts}


def belongings() -> list[Json]:
    rbac, labels = "rbac.authorization.k8s.io", {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "web:1"}]}}
    admins = [{"kind": "ServiceAccount", "name": "boss", "namespace": space} for space in (SPACE, "kube-system")]
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin"}
    return [
        obj("v1", "Namespace", SPACE),
        obj("v1", "ConfigMap", "settings", SPACE, data={"a": "1"}),
        obj("v1", "ConfigMap", "spare", SPACE),
        obj("v1", "ServiceAccount", "boss", SPACE),
        obj("v1", "ServiceAccount", "boss", "kube-system"),
        obj(f"{rbac}/v1", "ClusterRoleBinding", "bosses", roleRef=role, subjects=admins),
        obj(
            "apps/v1",
            "Deployment",
            "web",
            SPACE,
            spec={"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
        ),
    ]


@pytest.fixture
def scene(db: None, local_hosts: Mapping[str, LocalHost], tools: Tools, settings: Any, tmp_path: Path) -> Scene:
    scene_settings(settings, tools, tmp_path)
    made = scene_made(world_make(), local_hosts, "frozen")
    with made.inside() as kube:
        for each in belongings():
            kube.apply(each)
        wait_until(lambda: _available(kube), seconds=60, what="web is not ready")
    return made


@pytest.fixture
def boss(scene: Scene, tools: Tools, tmp_path: Path) -> Callable[[str], Kubectl]:
    """kubectl by a token of the account of that name's namespace, who is cluster-admin, past the gateway."""

    def make(namespace: str = SPACE) -> Kubectl:
        placement = scene.placement()
        with scene.inside() as kube:
            token, _ = kube.token_request(namespace, "boss", 3600)
        trusted = virtual_connection(Clients().kube(scene.here, lambda: None), placement)
        connection = replace(
            trusted,
            server=placement.endpoint,
            client_certificate_pem="",
            client_key_pem="",
            token=token,
            tls_server_name="localhost",
        )
        file = tmp_path / f"{namespace}.kubeconfig"
        file.write_text(kubeconfig_render(connection))
        return Kubectl(tools.kubectl, file)

    return make


def _available(kube: KubeClient) -> bool:
    found = kube.get(DEPLOYMENT, "web", SPACE) or {}
    return bool(found.get("status", {}).get("readyReplicas") == 2)


def test_every_road_but_two_is_closed_and_the_move_succeeds(
    scene: Scene, boss: Callable[[str], Kubectl], tell: Callable[[str], None]
) -> None:
    inside, in_kube_system = boss(SPACE), boss("kube-system")
    answers: dict[str, Answer] = {}

    def tries(context: StepContext) -> None:
        for road, arguments in {**REFUSED, **ASKED}.items():
            answers[road] = inside(*arguments, exit_code=None)
        answers["an account in kube-system"] = in_kube_system(*REFUSED["create"], exit_code=None)

    operation = scene.move(to=scene.there, flow=with_step(MIGRATE, "freeze-source", "tries", tries))
    assert operation.state == "Succeeded", operation.message
    for road, answer in answers.items():
        refused = (
            f"'{NAME}'" in answer.stderr and "is being moved to harbor-west; try again in a minute" in answer.stderr
        )
        tell(f"frozen, {road}: {'refused' if refused else 'allowed'}")
        assert refused == (road not in ASKED), f"{road}: {answer}"
    with scene.inside() as kube:
        assert (kube.get(CONFIG_MAP, "settings", SPACE) or {})["data"] == {"a": "1"}
        assert kube.get(CONFIG_MAP, "new", SPACE) is None


AROUND: Mapping[str, tuple[str, list[tuple[str, ...]]]] = {
    "as somebody who is exempt": ("copy-rest", [("create", "configmap", "exempt", "-n", SPACE, *EXEMPT)]),
    "as somebody who is exempt, late": ("start-workloads", [("create", "configmap", "late", "-n", SPACE, *EXEMPT)]),
    "without the binding": (
        "freeze-source",
        [
            ("delete", "validatingadmissionpolicybinding", NAME, "--wait=false"),
            ("create", "configmap", "unbound", "-n", SPACE),
        ],
    ),
    "by a deletion as somebody who is exempt": (
        "start-workloads",
        [("delete", "configmap", "spare", "-n", SPACE, "--wait=false", *EXEMPT)],
    ),
}
"""What a cluster-admin inside can do all the same, and after which step it is done."""
WRITTEN = ("exempt", "late", "unbound")


def test_who_gets_around_it_loses_nothing_because_the_move_is_put_back(
    scene: Scene, boss: Callable[[str], Kubectl], tell: Callable[[str], None]
) -> None:
    inside = boss(SPACE)
    for road, (after, commands) in AROUND.items():

        def around(context: StepContext, commands: list[tuple[str, ...]] = commands) -> None:
            for each in commands:
                wait_until(lambda: inside(*each, exit_code=None).exit_code == 0, seconds=20, what=f"{each} is refused")  # noqa: B023

        operation = scene.move(to=scene.there, flow=with_step(MIGRATE, after, "around", around))
        tell(f"written {road} after {after}: {operation.state}, {operation.error_code}")
        assert (operation.state, operation.error_code) == ("Failed", "unfrozen"), operation.message
        assert scene.placement().host == scene.here
        with scene.inside() as kube:
            wait_until(lambda: _available(kube), seconds=60, what="web does not run where it was")
        inside("create", "configmap", f"after-{after}-{len(road)}", "-n", SPACE)
        scene.tidy()
    with scene.inside() as kube:
        assert all(kube.get(CONFIG_MAP, name, SPACE) for name in WRITTEN), "what was written around it is there"
        assert kube.get(CONFIG_MAP, "spare", SPACE) is None
