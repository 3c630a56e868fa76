"""A vcluster that somebody else installed is found, adopted unchanged, and taken over by its first `configure`."""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import psycopg
import pytest

from dev.errors import DevError
from dev.waiting import wait_until
from localkube import Tools
from tests.commands import Kubectl, Marina
from tests.conftest import TestHost
from tests.e2e.api import Api, Json
from tests.e2e.foreign import Helm, helm_of, pause

pytestmark = pytest.mark.localkube

EDITION = "somebody/vcluster-oss"
"""An image of their own: adopting must not make Marina's of it."""
VALUES: Json = {
    "controlPlane": {
        "statefulSet": {
            "image": {"registry": "registry.example", "repository": EDITION},
            "labels": {"team": "tills"},
            "resources": {"requests": {"cpu": "150m", "memory": "200Mi"}, "limits": {"memory": "3Gi"}},
        },
        "distro": {"k8s": {"image": {"tag": "v1.35.4"}}},
    },
    "telemetry": {"enabled": False},
}


@dataclass(frozen=True)
class Foreign:
    """One that Marina did not make."""

    release: str
    namespace: str
    kubectl: Kubectl
    helm: Helm

    def release_now(self) -> Json:
        """Everything of the release; without what it syncs from inside, which comes and goes by itself."""
        where = ("-n", self.namespace)
        kinds = "statefulset,pod,service,serviceaccount,role,configmap,secret,persistentvolumeclaim"
        found = self.kubectl.get(kinds, *where)
        names = {f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["uid"] for each in found}
        objects = {name: uid for name, uid in names.items() if "-x-" not in name}
        plane = self.kubectl.get("statefulset", self.release, *where)
        generation = plane["metadata"]["generation"], plane["metadata"].get("annotations"), plane["spec"]
        return {"objects": objects, "plane": generation, "revisions": self.helm.revisions(self.release, self.namespace)}

    def labels(self) -> Json:
        found: Json = self.kubectl.get("namespace", self.namespace)["metadata"]["labels"]
        return found


@pytest.fixture
def installed(least: TestHost, tools: Tools) -> Iterator[Callable[..., Foreign]]:
    """Installs one by helm in a namespace of its own; both go afterwards."""
    kubectl, helm, made = least.kubectl, helm_of(tools, least), list[Foreign]()

    def install(values: Json = VALUES) -> Foreign:
        name = f"foreign-{secrets.token_hex(3)}"
        found = Foreign(name, f"team-{name}", kubectl, helm)
        made.append(found)
        kubectl("create", "namespace", found.namespace)
        kubectl("label", "namespace", found.namespace, "team=tills")
        helm.install(name, found.namespace, values)
        kubectl("rollout", "status", f"statefulset/{name}", "-n", found.namespace, "--timeout=60s")
        return found

    yield install
    for each in made:
        kubectl("delete", "namespace", each.namespace, "--wait=false")


def discovered(staff: Api, foreign: Foreign, host: str = "least") -> Json:
    """As soon as a survey has found it."""
    seen: list[Json] = []

    def found() -> bool:
        listed = staff.list("/discovered-clusters", host=host)
        seen[:] = [each for each in listed if each["release"] == foreign.release]
        return bool(seen)

    with suppress(DevError):
        wait_until(found, seconds=30, what="No survey found it")
    assert seen, staff.host(host)["capacity"]
    return seen[0]


def adopted(
    staff: Api, developer: Api, project: str, foreign: Foreign, *, as_: str = "Succeeded", host: str = "least"
) -> Json:
    """Adopts it for the developer; the cluster."""
    path = f"/discovered-clusters/{discovered(staff, foreign, host)['id']}/adopt"
    work = staff("POST", path, {"project": project, "owner": developer.handle}, status=202)
    staff.ended(work["operation"], as_=as_)
    cluster: Json = developer.cluster(foreign.release)
    return cluster


def condition(cluster: Json, kind: str) -> Json:
    found: Json = next(each for each in cluster["conditions"] if each["type"] == kind)
    return found


def test_one_is_found_adopted_unchanged_compared_taken_over_and_deleted(
    installed: Callable[..., Foreign],
    staff: Api,
    developer: Api,
    marina: Marina,
    project: str,
    inside_of: Callable[[str], Kubectl],
) -> None:
    foreign = installed()
    row = discovered(staff, foreign)
    assert (row["namespace"], row["workload"], row["paused"]) == (foreign.namespace, "StatefulSet", False)
    assert (row["chart_version"], row["kubernetes_version"]) == ("0.36.1", "1.35.4")
    assert row["image"] == f"registry.example/{EDITION}:0.36.1"
    before, labels = foreign.release_now(), foreign.labels()

    cluster = adopted(staff, developer, project, foreign)
    assert foreign.release_now() == before, "adopting changed the release"
    assert labels.items() <= foreign.labels().items()
    assert foreign.labels()["marina.dev/virtual-cluster"] == cluster["id"]
    assert foreign.kubectl.get("resourcequota,networkpolicy", "-n", foreign.namespace) == []
    assert (cluster["phase"], condition(cluster, "Ready")["status"]) == ("Ready", "True")
    assert condition(cluster, "InSync")["reason"] == "Adopted"
    assert cluster["placement"]["adopted"] is True
    assert cluster["spec"]["values"] == VALUES
    assert (cluster["spec"]["chart_version"], cluster["spec"]["kubernetes_version"]) == ("0.36.1", "1.35.4")
    assert cluster["generation"] == cluster["observed_generation"]
    listed = staff.list("/discovered-clusters", host="least")
    assert foreign.release not in [each["release"] for each in listed]
    inside_of(foreign.release)("create", "namespace", "keepsake")

    marina("configure", foreign.release, "--wait")
    operation = developer.operation(developer.cluster(foreign.release)["operation"])
    compared_and_told(operation, foreign)
    cluster = developer.cluster(foreign.release)
    assert condition(cluster, "InSync")["status"] == "True"
    plane = foreign.kubectl.get("statefulset", foreign.release, "-n", foreign.namespace)
    assert plane["spec"]["template"]["spec"]["containers"][0]["image"] == row["image"]
    assert plane["metadata"]["labels"]["team"] == "tills"
    assert foreign.kubectl.get("resourcequota", "marina", "-n", foreign.namespace)
    assert "namespace/keepsake" in inside_of(foreign.release)("get", "namespaces", "-o", "name").stdout
    marina("configure", foreign.release, "--wait")
    assert developer.operation(developer.cluster(foreign.release)["operation"])["difference"] == []

    developer.ended(developer.delete(foreign.release))
    assert foreign.helm.revisions_if_any(foreign.release, foreign.namespace) == []
    assert foreign.labels() == labels, "the namespace was given, so it stays as it was"
    left = foreign.kubectl.get("statefulset,pod,service,pvc,role,rolebinding,resourcequota", "-n", foreign.namespace)
    assert left == []


def compared_and_told(operation: Json, foreign: Foreign) -> None:
    """The first operation shows what it changed, field by field, and no value of a secret."""
    told = {(each["object"], each["path"]): each for each in operation["difference"]}
    requests = "spec.template.spec.containers[syncer].resources.requests"
    memory = told[f"StatefulSet {foreign.release}", f"{requests}.memory"]
    assert (memory["before"], memory["after"]) == ("200Mi", "256Mi")
    assert told["ResourceQuota marina", ""]["after"] == "made"
    config = told[f"Secret vc-config-{foreign.release}", "data.config.yaml"]
    assert (config["before"], config["after"]) == ("(not shown)", "(not shown)")
    assert not [path for _, path in told if path.endswith("].image")]
    assert "differs from what was adopted in" in " ".join(event["text"] for event in operation["events"])


def test_one_that_was_adopted_moves_with_its_own_images_and_what_it_left_goes_with_it(
    installed: Callable[..., Foreign],
    staff: Api,
    developer: Api,
    marina: Marina,
    mover: Marina,
    hosts: list[TestHost],
    project: str,
    inside_of: Callable[[str], Kubectl],
) -> None:
    foreign = installed()
    labels = foreign.labels()
    adopted(staff, developer, project, foreign)
    inside_of(foreign.release)("create", "namespace", "keepsake")
    mover("migrate", foreign.release, "--project", project, "--to", hosts[1].name, "--yes")
    cluster = developer.cluster(foreign.release)
    where = cluster["placement"]
    assert (cluster["phase"], where["host"]["name"], where["adopted"]) == ("Ready", hosts[1].name, True)
    assert where["namespace"] != foreign.namespace
    plane = hosts[1].kubectl.get("statefulset", where["release"], "-n", where["namespace"])
    assert plane["spec"]["template"]["spec"]["containers"][0]["image"] == f"registry.example/{EDITION}:0.36.1"
    inside_of(foreign.release)("get", "namespace", "keepsake")
    left = foreign.kubectl.get("statefulset", foreign.release, "-n", foreign.namespace)
    assert left["spec"]["replicas"] == 0, "what it left sleeps"
    marina("upgrade", foreign.release, "--to", "1.36.3", "--yes")
    assert developer.cluster(foreign.release)["placement"]["kubernetes_version"] == "1.36.3"
    developer.ended(developer.delete(foreign.release), seconds=240)
    wait_until(lambda: foreign.labels() == labels, seconds=60, what="what it left on its host is not given back")
    assert foreign.kubectl.get("statefulset,pod,service,pvc,role,rolebinding", "-n", foreign.namespace) == []


def test_one_that_is_paused_is_adopted_asleep_and_woken(
    installed: Callable[..., Foreign], staff: Api, developer: Api, marina: Marina, project: str
) -> None:
    foreign = installed()
    pause(foreign.kubectl, {"release": foreign.release, "namespace": foreign.namespace})
    wait_until(lambda: discovered(staff, foreign)["paused"], seconds=20, what="No survey saw that it is paused")
    cluster = adopted(staff, developer, project, foreign)
    assert (cluster["phase"], condition(cluster, "Ready")["reason"]) == ("Asleep", "Asleep")
    assert cluster["asleep"]["why"] == "It was paused when it was adopted."
    plane = foreign.kubectl.get("statefulset", foreign.release, "-n", foreign.namespace)
    assert plane["spec"]["replicas"] == 0
    marina("configure", foreign.release, "--wait")
    assert developer.cluster(foreign.release)["phase"] == "Asleep", "what is asleep stays asleep"
    marina("wake", foreign.release, "--wait")
    assert developer.cluster(foreign.release)["phase"] == "Ready"
    developer.ended(developer.delete(foreign.release))


def test_another_edition_or_another_store_is_refused_before_anything_is_changed(
    installed: Callable[..., Foreign], staff: Api, developer: Api, project: str, database: psycopg.Connection
) -> None:
    foreign = installed()
    cluster = adopted(staff, developer, project, foreign)
    before = foreign.release_now()
    for values, code in (
        ({"controlPlane": {"statefulSet": {"image": {"repository": "loft-sh/vcluster-pro"}}}}, "image-edition"),
        ({"controlPlane": {"backingStore": {"etcd": {"embedded": {"enabled": True}}}}}, "backing-store"),
    ):
        # the host's values, or whoever may write the database, may say so; nobody can by the API
        database.execute(
            "UPDATE clusters_virtualcluster SET values = %s::jsonb WHERE id = %s",
            (json.dumps(values), cluster["id"]),
        )
        operation = developer("POST", f"/virtual-clusters/{cluster['id']}/configure", status=202)["operation"]
        ended = developer.ended(operation, as_="Failed")
        assert ended["error"]["code"] == code, ended
        assert ended["error"]["hint"]
        assert foreign.release_now() == before
        assert developer.cluster(foreign.release)["phase"] == "Ready", "its API answers as before"
    developer.ended(developer.delete(foreign.release))


def test_one_without_a_release_is_not_adopted_and_deleting_it_touches_nothing(
    installed: Callable[..., Foreign], staff: Api, developer: Api, project: str
) -> None:
    foreign = installed()
    foreign.kubectl("delete", "secret", "-l", f"owner=helm,name={foreign.release}", "-n", foreign.namespace)
    labels = foreign.labels()
    cluster = adopted(staff, developer, project, foreign, as_="Failed")
    assert (cluster["phase"], condition(cluster, "Ready")["reason"]) == ("Failed", "AdoptFailed")
    left = developer.operation(cluster["operation"])["left_behind"]
    assert {each["kind"] for each in left} == {"Namespace labels", "RoleBinding"}, "no guardrail, no release"
    plane = foreign.kubectl.get("statefulset", foreign.release, "-n", foreign.namespace)
    developer.ended(developer.delete(foreign.release))
    after = foreign.kubectl.get("statefulset", foreign.release, "-n", foreign.namespace)
    assert (after["metadata"]["uid"], after["spec"]) == (plane["metadata"]["uid"], plane["spec"])
    assert foreign.labels() == labels
    assert (
        foreign.kubectl.get("rolebinding", "-n", foreign.namespace, "-l", "app.kubernetes.io/managed-by=marina") == []
    )
    assert discovered(staff, foreign), "it is found again"


@pytest.fixture
def nearby(given: TestHost, tools: Tools) -> Iterator[Foreign]:
    """One in the first given namespace of a host on which Marina makes no cluster-scoped call."""
    found = Foreign("nearby", "given-a", given.kubectl, helm_of(tools, given))
    found.helm.install(found.release, found.namespace, VALUES)
    found.kubectl("rollout", "status", "statefulset/nearby", "-n", found.namespace, "--timeout=60s")
    yield found
    found.helm("uninstall", found.release, "-n", found.namespace, "--ignore-not-found")
    found.kubectl("delete", "pvc", "-l", "app=vcluster,release=nearby", "-n", found.namespace)


def test_in_a_given_namespace_one_is_adopted_and_given_back_with_the_rights_that_marina_was_given(
    nearby: Foreign, staff: Api, developer: Api, marina: Marina, project: str
) -> None:
    labels, before = nearby.labels(), nearby.release_now()
    cluster = adopted(staff, developer, project, nearby, host="given")
    assert nearby.release_now() == before
    assert cluster["placement"]["host"]["name"] == "given"
    marina("configure", nearby.release, "--wait")
    developer.ended(developer.delete(nearby.release))
    assert nearby.labels() == labels
    assert nearby.kubectl.get("statefulset,pvc,resourcequota", "-n", nearby.namespace) == []
    left = nearby.kubectl.get("rolebindings", "-n", nearby.namespace)
    assert {each["metadata"]["name"] for each in left} == {"marina-namespace", "marina-tenant"}


def test_marinas_own_are_no_strangers_and_one_that_went_is_listed_no_more(
    installed: Callable[..., Foreign], staff: Api, developer: Api, shared: Json
) -> None:
    foreign = installed()
    row = discovered(staff, foreign)
    assert shared["placement"]["release"] not in [each["release"] for each in staff.list("/discovered-clusters")]
    staff("POST", f"/discovered-clusters/{row['id']}/ignore")
    foreign.helm("uninstall", foreign.release, "-n", foreign.namespace)

    def gone() -> bool:
        return foreign.release not in [each["release"] for each in staff.list("/discovered-clusters")]

    wait_until(gone, seconds=30, what="It is still listed")
