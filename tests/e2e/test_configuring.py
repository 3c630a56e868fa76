"""`configure` brings a virtual cluster to what is wanted, whatever was done to it on its host."""

from collections.abc import Callable, Iterator

import pytest

from localkube import Tools
from tests.commands import Kubectl, Marina
from tests.conftest import TestHost
from tests.e2e.api import Api, Json
from tests.e2e.foreign import Helm, helm_of

NAME = "wanted"


@pytest.fixture(scope="module")
def made(home: TestHost, developer: Api, project: str) -> Iterator[Json]:
    """A cluster that these tests change; each brings it back."""
    developer.ended(developer.create(NAME, project=project, host=home.name), seconds=240)
    yield developer.cluster(NAME)
    developer.ended(developer.delete(NAME), seconds=240)


@pytest.fixture(scope="module")
def where(made: Json) -> Json:
    placement: Json = made["placement"]
    return placement


@pytest.fixture(scope="module")
def helm(tools: Tools, home: TestHost) -> Helm:
    return helm_of(tools, home)


def configured(developer: Api, **spec: object) -> Json:
    """Asks for it and waits; the cluster as it is then, which is as it is wanted."""
    path = f"/virtual-clusters/{developer.cluster(NAME)['id']}"
    if spec:
        operation = developer("PATCH", path, {"spec": spec}, status=202)["operation"]
    else:
        operation = developer("POST", f"{path}/configure", status=202)["operation"]
    developer.ended(operation, seconds=240)
    cluster = developer.cluster(NAME)
    conditions = {each["type"]: each["status"] for each in cluster["conditions"]}
    assert (cluster["phase"], conditions["Ready"], conditions["InSync"]) == ("Ready", "True", "True")
    assert cluster["observed_generation"] == cluster["generation"]
    return cluster


def control_plane(home: TestHost, where: Json) -> Json:
    found: Json = home.kubectl.get("statefulset", where["release"], "-n", where["namespace"])
    return found


def pod(home: TestHost, where: Json) -> Json:
    found: Json = home.kubectl.get("pod", f"{where['release']}-0", "-n", where["namespace"])
    return found


def one_deployed(helm: Helm, where: Json) -> None:
    revisions = helm.revisions(where["release"], where["namespace"])
    assert [each["status"] for each in revisions].count("deployed") == 1, revisions
    assert revisions[-1]["status"] == "deployed"


def test_another_size_replaces_the_control_plane_and_it_is_the_new_one_that_answers(
    home: TestHost, developer: Api, made: Json, where: Json, helm: Helm
) -> None:
    before = pod(home, where)
    cluster = configured(developer, size="medium")
    assert (cluster["generation"], cluster["spec"]["size"]) == (made["generation"] + 1, "medium")
    after = pod(home, where)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    ready = [each for each in after["status"]["conditions"] if each["type"] == "Ready"]
    assert ready[0]["status"] == "True"
    quota = home.kubectl.get("resourcequota", "marina", "-n", where["namespace"])["spec"]["hard"]
    configured(developer, size="small")
    assert home.kubectl.get("resourcequota", "marina", "-n", where["namespace"])["spec"]["hard"] != quota
    one_deployed(helm, where)


def test_where_nothing_differs_the_control_plane_goes_on_undisturbed(
    home: TestHost, developer: Api, where: Json, helm: Helm
) -> None:
    before = pod(home, where)
    configured(developer)
    assert pod(home, where)["metadata"]["uid"] == before["metadata"]["uid"]
    one_deployed(helm, where)


def test_one_that_was_stopped_outside_runs_again_and_bears_no_mark_of_it(
    home: TestHost, developer: Api, where: Json, marina: Marina
) -> None:
    """Half of upstream's pause: with its whole mark it would be asleep, and stay so."""
    name, at = f"statefulset/{where['release']}", ("-n", where["namespace"])
    home.kubectl("annotate", name, "loft.sh/paused-replicas=1", *at)
    home.kubectl("scale", name, "--replicas=0", *at)
    home.kubectl("wait", "--for=delete", f"pod/{where['release']}-0", *at, "--timeout=60s")
    marina("configure", NAME, "--wait")
    found = control_plane(home, where)
    assert found["spec"]["replicas"] == found["status"]["readyReplicas"] == 1
    assert not [mark for mark in found["metadata"].get("annotations") or {} if mark.startswith("loft.sh/")]
    assert developer.cluster(NAME)["phase"] == "Ready"


def test_values_that_somebody_gave_helm_outside_are_taken_back(
    home: TestHost, developer: Api, where: Json, helm: Helm
) -> None:
    wanted = helm.values(where["release"], where["namespace"])
    label = {"controlPlane": {"statefulSet": {"labels": {"somebody": "else"}}}}
    helm.install(where["release"], where["namespace"], {**wanted, "controlPlane": label["controlPlane"]})
    assert control_plane(home, where)["metadata"]["labels"]["somebody"] == "else"
    configured(developer)
    assert helm.values(where["release"], where["namespace"]) == wanted
    assert "somebody" not in control_plane(home, where)["metadata"]["labels"]
    one_deployed(helm, where)


@pytest.mark.localkube
def test_a_release_that_was_removed_outside_comes_back_over_the_volume_it_left(
    home: TestHost, developer: Api, where: Json, helm: Helm, inside_of: Callable[[str], Kubectl]
) -> None:
    inside_of(NAME)("create", "namespace", "keepsake")
    helm("uninstall", where["release"], "-n", where["namespace"], "--wait")
    configured(developer)
    assert "namespace/keepsake" in inside_of(NAME)("get", "namespaces", "-o", "name").stdout
    one_deployed(helm, where)


def test_guardrails_that_were_changed_or_removed_stand_there_again(home: TestHost, developer: Api, where: Json) -> None:
    namespace, kubectl = where["namespace"], home.kubectl
    quota = kubectl.get("resourcequota", "marina", "-n", namespace)["spec"]
    isolation = kubectl.get("networkpolicy", "marina-isolation", "-n", namespace)["spec"]
    kubectl("delete", "networkpolicy", "marina-isolation", "-n", namespace)
    kubectl("patch", "resourcequota", "marina", "-n", namespace, "-p", '{"spec": {"hard": {"pods": "999"}}}')
    kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=privileged", "--overwrite")
    configured(developer)
    assert kubectl.get("resourcequota", "marina", "-n", namespace)["spec"] == quota
    assert kubectl.get("networkpolicy", "marina-isolation", "-n", namespace)["spec"] == isolation
    labels = kubectl.get("namespace", namespace)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"


def test_one_that_is_published_no_more_has_no_address_until_it_is_again(developer: Api, where: Json) -> None:
    assert configured(developer, exposure="None")["placement"]["endpoint"] == ""
    assert configured(developer, exposure="")["placement"]["endpoint"] == where["endpoint"]


def test_a_change_that_cannot_start_is_told_and_the_next_one_mends_it(
    home: TestHost, developer: Api, where: Json
) -> None:
    """A quota of the host's administrator leaves no room for the new pod, while the old one is gone already."""
    path = f"/virtual-clusters/{developer.cluster(NAME)['id']}"
    home.kubectl("create", "quota", "tiny", "-n", where["namespace"], "--hard=requests.memory=10Mi")
    operation = developer("PATCH", path, {"spec": {"size": "large"}}, status=202)["operation"]
    seen = developer.until_told(operation, "exceeded quota: tiny")
    assert seen["message"].startswith("The host refuses the control plane's pod: ")
    developer("POST", f"/operations/{operation['id']}/abort", status=202)
    ended = developer.ended(operation, as_="Aborted")
    assert ("Helm release", where["release"]) in [(each["kind"], each["name"]) for each in ended["left_behind"]]
    cluster = developer.cluster(NAME)
    conditions = {each["type"]: each for each in cluster["conditions"]}
    assert (cluster["phase"], conditions["InSync"]["status"]) == ("Failed", "False")
    assert f"marina configure {NAME}" in conditions["InSync"]["message"]
    assert cluster["observed_generation"] < cluster["generation"]
    home.kubectl("delete", "quota", "tiny", "-n", where["namespace"])
    configured(developer, size="small")


@pytest.mark.localkube
def test_a_namespace_that_vanished_is_made_again_with_all_that_belongs_there(
    home: TestHost, developer: Api, where: Json, helm: Helm
) -> None:
    home.kubectl("delete", "namespace", where["namespace"], "--timeout=120s")
    configured(developer)
    assert control_plane(home, where)["status"]["readyReplicas"] == 1
    one_deployed(helm, where)
