"""Upgrades of real API servers: what is in it and who may in stay, asleep or awake; a bad version heals itself."""

import json
from collections.abc import Callable, Iterator

import pytest

from dev.stack import Stack
from tests.commands import Kubectl, Marina
from tests.conftest import TestHost
from tests.e2e.api import Api, Json

OLD, NEW, MISSING = "1.35.4", "1.36.3", "1.36.2"
AWAKE, ASLEEP = "riser", "late-riser"
POLICY = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
}
REFUSED = """
from accounts.errors import InvalidInput
from accounts.services.audit import Actor
from clusters.models import HostCluster, VirtualCluster
from clusters.services.upgrading import VersionChange, virtual_cluster_upgrade
from django.db import transaction
from django.utils import timezone
with transaction.atomic():
    HostCluster.objects.update(kubernetes_version={host!r})
    try:
        virtual_cluster_upgrade(
            virtual_cluster=VirtualCluster.objects.exclude(phase="Deleted").get(name={name!r}),
            actor=Actor(user=None, name="e2e"), now=timezone.now(), change=VersionChange(kubernetes_version={to!r}))
    except InvalidInput as error:
        print(error.message, "|", error.accepted)
    transaction.set_rollback(True)
"""


@pytest.fixture(scope="module")
def made(
    home: TestHost, developer: Api, project: str, inside_of: Callable[[str], Kubectl]
) -> Iterator[Callable[[str], Kubectl]]:
    """Two of the older version, each with workloads; kubectl on either, by kubeconfigs from before any upgrade."""
    begun = [
        developer.create(name, project=project, host=home.name, spec={"kubernetes_version": OLD})
        for name in (AWAKE, ASLEEP)
    ]
    for operation in begun:
        developer.ended(operation, seconds=240)
    inside = {name: inside_of(name) for name in (AWAKE, ASLEEP)}
    for kubectl in inside.values():
        furnish(kubectl)
    yield inside.__getitem__
    for name in inside:
        developer.ended(developer.delete(name), seconds=240)


def furnish(inside: Kubectl) -> None:
    inside("create", "namespace", "shop")
    inside("create", "deployment", "web", "--image", "web:1", "--replicas", "2", "-n", "shop")
    inside("create", "configmap", "settings", "--from-literal", "colour=blue", "-n", "shop")
    inside("apply", "-f", "-", stdin=json.dumps(POLICY))
    available(inside)


def available(inside: Kubectl) -> None:
    inside("wait", "--for=condition=Available", "deployment/web", "-n", "shop", "--timeout=120s")


def version(inside: Kubectl) -> str:
    told: str = json.loads(inside("get", "--raw", "/version").stdout)["gitVersion"]
    return told


def kept(inside: Kubectl) -> dict[str, str]:
    """The uids of what people made."""
    found = [
        *inside.get("configmaps,deployments,poddisruptionbudgets", "-n", "shop"),
    ]
    return {f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["uid"] for each in found}


def work(api: Api, name: str, body: Json, verb: str = "upgrade") -> Json:
    operation: Json = api("POST", f"/virtual-clusters/{api.cluster(name)['id']}/{verb}", body, status=202)["operation"]
    return operation


def upgraded(api: Api, name: str) -> Json:
    """The condition that tells of the last upgrade."""
    return next(each for each in api.cluster(name)["conditions"] if each["type"] == "Upgraded")


def test_what_cannot_be_is_refused_with_the_reason_and_the_next_step(
    made: Callable[[str], Kubectl], developer: Api, stack: Stack
) -> None:
    path = f"/virtual-clusters/{developer.cluster(AWAKE)['id']}/upgrade"
    down = developer.refused("POST", path, {"kubernetes_version": "1.34.9"}, "kubernetes_version")
    assert "never goes down" in down["message"]
    assert "1.36.3" in down["accepted"]

    def refused(to: str, host: str, offered: str) -> str:
        script = REFUSED.format(name=AWAKE, to=to, host=host)
        charts = {"KUBERNETES_VERSIONS": offered, "CHART_KUBERNETES_VERSIONS": "1.32-1.40"}
        return stack.manage("shell", "-c", script, **charts)

    skipped = refused("1.37.1", "1.36.3", "1.37.1,1.35.9,1.35.4")
    assert "skips a minor of Kubernetes: 1.36 comes first" in skipped
    assert "| Kubernetes 1.35.9, as the next step" in skipped
    too_new = refused("1.37.1", "1.35.2", "1.37.1,1.36.3,1.35.4")
    assert "is too new for this host, which has 1.35.2: it takes up to 1.36." in too_new
    assert "| Kubernetes 1.36.3, as the next step" in too_new
    assert developer.cluster(AWAKE)["phase"] == "Ready"


@pytest.mark.localkube
def test_a_version_whose_image_is_missing_is_named_in_the_pods_words_and_heals_itself(
    made: Callable[[str], Kubectl], developer: Api, home: TestHost
) -> None:
    inside, before = made(AWAKE), kept(made(AWAKE))
    failed = developer.ended(work(developer, AWAKE, {"kubernetes_version": MISSING}), as_="Failed", seconds=240)
    assert f"kubernetes:v{MISSING}: not found" in failed["error"]["message"]
    cluster = developer.cluster(AWAKE)
    assert (cluster["phase"], cluster["spec"]["kubernetes_version"]) == ("Ready", OLD)
    assert cluster["observed_generation"] == cluster["generation"]
    assert version(inside) == f"v{OLD}"
    assert kept(inside) == before
    available(inside)
    told = upgraded(developer, AWAKE)
    assert (told["status"], told["reason"]) == ("False", "PutBack")
    assert "not found" in told["message"]
    placement = cluster["placement"]
    plane = home.kubectl.get("statefulset", placement["release"], "-n", placement["namespace"])
    (image,) = [each["image"] for each in plane["spec"]["template"]["spec"]["initContainers"]]
    assert image.endswith(f":v{OLD}")


def test_a_preflight_tells_the_way_and_until_when_there_is_one_back(
    made: Callable[[str], Kubectl], marina: Marina
) -> None:
    told = marina("upgrade", AWAKE, "--to", "1.36", "--preflight").stdout
    assert f"Kubernetes {OLD} becomes Kubernetes {NEW}." in told
    assert "can be put back only until its control plane has started once" in " ".join(told.split())
    assert "could not be read" not in told, "the API server's own metrics are read"
    assert "In the way" not in told


def test_objects_workloads_and_kubeconfigs_are_kept(
    made: Callable[[str], Kubectl], developer: Api, marina: Marina
) -> None:
    inside, before = made(AWAKE), kept(made(AWAKE))
    said = marina("upgrade", AWAKE, "--to", NEW, "--yes")
    assert f"with Kubernetes {NEW}" in said.stdout
    assert version(inside) == f"v{NEW}", "with the token from before"
    assert kept(inside) == before
    assert inside.get("configmap", "settings", "-n", "shop")["data"] == {"colour": "blue"}
    available(inside)
    told = upgraded(developer, AWAKE)
    assert (told["status"], told["reason"]) == ("True", "Upgraded"), told
    cluster = developer.cluster(AWAKE)
    assert (cluster["phase"], cluster["placement"]["kubernetes_version"]) == ("Ready", NEW)
    (operation, *_) = developer.list("/operations", virtual_cluster=cluster["id"], ordering="-created_at")
    notes = {step["key"]: step.get("note", "") for step in operation["steps"]}
    assert "workloads are as before" in notes["compare-with-before"]
    exports = developer.list(f"/virtual-clusters/{cluster['id']}/exports")
    assert next(each["cause"] for each in exports if each["state"] == "Complete") == "upgrade"
    marina("configure", AWAKE, "--wait")
    assert developer.cluster(AWAKE)["generation"] == cluster["generation"]
    down = developer.refused(
        "POST", f"/virtual-clusters/{cluster['id']}/upgrade", {"kubernetes_version": OLD}, "kubernetes_version"
    )
    assert "never goes down" in down["message"]


def test_one_that_is_asleep_is_upgraded_asleep_and_wakes_as_the_new_version(
    made: Callable[[str], Kubectl], developer: Api, marina: Marina, home: TestHost
) -> None:
    inside, before = made(ASLEEP), kept(made(ASLEEP))
    marina("sleep", ASLEEP, "--wait", "--why", "Night.")
    marina("upgrade", ASLEEP, "--to", NEW, "--yes")
    cluster = developer.cluster(ASLEEP)
    assert (cluster["phase"], cluster["asleep"]["why"]) == ("Asleep", "Night.")
    assert cluster["spec"]["kubernetes_version"] == NEW
    placement = cluster["placement"]
    assert home.kubectl.get("pods", "-n", placement["namespace"]) == [], "nothing of it ran"
    marina("wake", ASLEEP, "--wait")
    assert version(inside) == f"v{NEW}"
    assert kept(inside) == before
    available(inside)
