"""Helm on an API server: exact values, whole repairs, telling errors, nothing left lying about."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from provisioning.drivers.helm import HelmClient, helm_environment
from provisioning.drivers.kinds import CONFIG_MAP, DEPLOYMENT, SECRET, STATEFUL_SET
from provisioning.drivers.kube import KubeClient
from provisioning.engine.errors import PermanentError, StepError, TemporaryError
from provisioning.manifests import manifests_parse
from tests.provisioning.drivers.conftest import CHART, only_real
from tests.provisioning.drivers.fault_servers import TOKEN, certificate_pem, connection_to, serving, silent
from tests.provisioning.drivers.processes import children_of, gone, until

ROOT = Path(__file__).parents[3]
WORKER = """
import json, sys
from pathlib import Path
from clusters.connection import HostConnection
from provisioning.drivers.helm import HelmClient
told = json.load(sys.stdin)
helm = HelmClient(told["helm"], HostConnection.from_json(told["connection"]), Path(told["folder"]))
helm.upgrade_install("x", Path(told["chart"]), told["namespace"], told["values"], 60)
"""


def greeting(kube: KubeClient, namespace: str) -> str:
    found = kube.get(CONFIG_MAP, "x", namespace)
    assert found
    return str(found["data"]["greeting"])


def test_a_release_is_installed_changed_and_removed(helm_client, kube, namespace):
    helm = helm_client()
    assert helm.status("x", namespace) is None
    made = helm.upgrade_install("x", CHART, namespace, {"greeting": "one", "replicas": 2}, 60)
    assert (made.revision, made.status) == (1, "deployed")
    changed = helm.upgrade_install("x", CHART, namespace, {"greeting": "two"}, 60)
    assert (changed.revision, changed.status) == (2, "deployed")
    assert greeting(kube, namespace) == "two"
    assert kube.get(DEPLOYMENT, "x", namespace)["spec"]["replicas"] == 0  # nothing of the earlier values is kept
    assert [(row.revision, row.status) for row in helm.history("x", namespace)] == [(2, "deployed"), (1, "superseded")]
    assert helm.status("x", namespace).chart == "pebble-1.2.3"
    helm.uninstall("x", namespace)
    helm.uninstall("x", namespace)
    assert helm.history("x", namespace) == []
    assert kube.get(CONFIG_MAP, "x", namespace) is None


def test_a_release_tells_its_own_values_all_of_them_and_what_it_made(helm_client, namespace):
    helm = helm_client()
    helm.upgrade_install("x", CHART, namespace, {"greeting": "one"}, 60)
    helm.upgrade_install("x", CHART, namespace, {}, 60)
    assert helm.values("x", namespace, revision=1) == {"greeting": "one"}
    assert helm.values("x", namespace, revision=2) == {}
    everything = helm.values("x", namespace, revision=1, everything=True)
    assert everything == {"greeting": "one", "replicas": 0, "hook": False}
    made = {each["kind"]: each for each in manifests_parse(helm.manifest("x", namespace, revision=1))}
    assert made["ConfigMap"]["data"]["greeting"] == "one"
    assert made["Deployment"]["spec"]["replicas"] == 0


def test_an_upgrade_is_rendered_without_being_made(helm_client, kube, namespace):
    helm = helm_client(before_effect=forbidden)
    text = helm.render("x", CHART, namespace, {"greeting": "two"}, kubernetes_version="1.36.3")
    (found,) = [each for each in manifests_parse(text) if each["kind"] == "ConfigMap"]
    assert (found["metadata"]["name"], found["data"]["greeting"]) == ("x", "two")
    assert helm.status("x", namespace) is None
    with pytest.raises(PermanentError) as raised:
        helm.render("x", CHART, namespace, {"bogus": 1}, kubernetes_version="1.36.3")
    assert raised.value.code == "values"


def forbidden() -> None:
    raise AssertionError("it would change something")


def test_a_field_that_somebody_else_set_is_taken_back(helm_client, kube, namespace):
    helm = helm_client()
    helm.upgrade_install("x", CHART, namespace, {"replicas": 1}, 60)
    kube.patch_merge(DEPLOYMENT, "x", namespace, {"spec": {"replicas": 0}})
    helm.upgrade_install("x", CHART, namespace, {"replicas": 1}, 60)
    assert kube.get(DEPLOYMENT, "x", namespace)["spec"]["replicas"] == 1


def test_values_that_the_schema_refuses_are_named_in_helms_words(helm_client, namespace):
    with pytest.raises(PermanentError) as raised:
        helm_client().upgrade_install("x", CHART, namespace, {"bogus": 1}, 60)
    assert raised.value.code == "values"
    assert "additional properties 'bogus' not allowed" in raised.value.message
    assert helm_client().status("x", namespace) is None


def test_a_namespace_that_is_not_there_is_not_made(helm_client, kube):
    with pytest.raises(StepError) as raised:
        helm_client().upgrade_install("x", CHART, "drivers-absent", {}, 60)
    assert 'namespaces "drivers-absent" not found' in raised.value.message


def killed_in_the_middle(backend, helm_folder, namespace, helm, values) -> None:
    """A worker is killed while helm waits for a hook that never ends."""
    told = {"helm": str(backend.helm), "connection": backend.host.to_json(), "folder": str(helm_folder)}
    told |= {"chart": str(CHART), "namespace": namespace, "values": values | {"hook": True}}
    with subprocess.Popen([sys.executable, "-c", WORKER], cwd=ROOT, stdin=subprocess.PIPE) as worker:
        assert worker.stdin
        worker.stdin.write(json.dumps(told).encode())
        worker.stdin.close()
        until(lambda: "pending" in (getattr(helm.status("x", namespace), "status", "")), 20)
        children = children_of(worker.pid)
        assert any(is_helm(child) for child in children)
        worker.kill()
    until(lambda: all(gone(child) for child in children), 3)


def is_helm(pid: int) -> bool:
    """The program itself, which is a script where it is the fake, and not its supervisor."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return any(word.endswith(b"/helm") for word in words) and not any(b"supervisor" in word for word in words)


def test_an_install_killed_in_the_middle_is_repaired(backend, helm_folder, helm_client, kube, namespace):
    helm = helm_client()
    killed_in_the_middle(backend, helm_folder, namespace, helm, {"greeting": "one"})
    assert helm.status("x", namespace).status == "pending-install"
    helm.upgrade_install("x", CHART, namespace, {"greeting": "one"}, 60)
    assert [row.status for row in helm.history("x", namespace)] == ["deployed"]
    assert greeting(kube, namespace) == "one"


def test_an_upgrade_killed_in_the_middle_is_repaired(backend, helm_folder, helm_client, kube, namespace):
    helm = helm_client()
    helm.upgrade_install("x", CHART, namespace, {"greeting": "one"}, 60)
    assert helm.repair("x", namespace) is False
    killed_in_the_middle(backend, helm_folder, namespace, helm, {"greeting": "two"})
    assert helm.status("x", namespace).status == "pending-upgrade"
    helm.upgrade_install("x", CHART, namespace, {"greeting": "three"}, 60)
    statuses = [row.status for row in helm.history("x", namespace)]
    assert statuses == ["deployed", "superseded"]
    assert greeting(kube, namespace) == "three"


def test_a_pending_release_can_be_removed(backend, helm_folder, helm_client, kube, namespace):
    killed_in_the_middle(backend, helm_folder, namespace, helm_client(), {})
    helm_client().uninstall("x", namespace)
    assert helm_client().history("x", namespace) == []
    assert kube.list(SECRET, namespace, label_selector="owner=helm") == []


def test_an_install_over_its_deadline_is_stopped_and_can_be_done_again(helm_client, kube, namespace):
    started = time.monotonic()
    with pytest.raises(TemporaryError) as raised:
        helm_client().upgrade_install("x", CHART, namespace, {"hook": True}, 2)
    assert raised.value.code == "timeout"
    assert time.monotonic() - started < 8
    assert helm_client().upgrade_install("x", CHART, namespace, {}, 60).status == "deployed"


def test_no_right_on_the_whole_cluster_is_needed(helm_client, kube, host, namespace):
    helm = helm_client(
        connection=limited(kube, host, namespace, ["create", "get", "list", "patch", "update", "delete"])
    )
    assert helm.upgrade_install("x", CHART, namespace, {}, 60).status == "deployed"
    helm.uninstall("x", namespace)


def test_a_missing_permission_is_named(helm_client, kube, host, namespace):
    helm = helm_client(connection=limited(kube, host, namespace, ["get", "list"]))
    with pytest.raises(PermanentError) as raised:
        helm.upgrade_install("x", CHART, namespace, {}, 60)
    assert raised.value.code == "forbidden"
    assert "create on secrets in namespace" in raised.value.hint


def limited(kube, host, namespace, verbs):
    """A connection as a ServiceAccount with these verbs on what the chart needs, in its namespace."""
    meta = {"name": "limited", "namespace": namespace}
    group = "rbac.authorization.k8s.io"
    rule = {"apiGroups": ["", "apps"], "resources": ["secrets", "configmaps", "deployments"], "verbs": verbs}
    kube.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    kube.apply({"apiVersion": f"{group}/v1", "kind": "Role", "metadata": meta, "rules": [rule]})
    kube.apply(
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "limited"},
            "subjects": [{"kind": "ServiceAccount", **meta}],
        }
    )
    token, _ = kube.token_request(namespace, "limited", 600)
    return type(host)(server=host.server, ca_pem=host.ca_pem, token=token)


@pytest.mark.parametrize("fault", ["refused", "silent", "certificate", "unauthorized"])
def test_a_host_in_trouble_has_the_same_codes_as_for_every_other_call(helm_client, host, fault):
    def error_of(connection, timeout=30.0) -> StepError:
        with pytest.raises(StepError) as raised:
            helm_client(connection=connection).upgrade_install("x", CHART, "default", {}, timeout)
        assert TOKEN not in str(raised.value)
        return raised.value

    other = certificate_pem("127.0.0.1")[0]
    if fault == "refused":
        assert error_of(connection_to(1)).code == "unreachable"
    elif fault == "silent":
        with serving(silent) as port:
            assert error_of(connection_to(port), 1.0).code == "timeout"
    elif fault == "certificate":
        error = error_of(type(host)(server=host.server, ca_pem=other, token=TOKEN))
        assert (type(error), error.code) == (PermanentError, "certificate")
    else:
        error = error_of(type(host)(server=host.server, ca_pem=host.ca_pem, token=TOKEN))
        assert (type(error), error.code) == (PermanentError, "unauthorized")


def test_no_credential_is_left_on_disk_or_shown(helm_client, host, helm_folder, namespace, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    helm = helm_client()
    helm.upgrade_install("x", CHART, namespace, {"greeting": "a-value"}, 60)
    files = [file for file in helm_folder.rglob("*") if file.is_file()]
    assert not [file for file in files if host.token.encode() in file.read_bytes()]
    assert host.token not in repr(helm)
    assert not {"KUBECONFIG", "HTTPS_PROXY", "DATABASE_URL"} & helm_environment(helm_folder).keys()


@only_real
@pytest.mark.skipif("MARINA_HELM3" not in os.environ, reason="MARINA_HELM3 names no Helm 3")
def test_helm_3_does_too(host, tmp_path, kube, namespace):
    helm = HelmClient(os.environ["MARINA_HELM3"], host, tmp_path)
    assert helm.upgrade_install("x", CHART, namespace, {"greeting": "one"}, 60).status == "deployed"
    assert helm.upgrade_install("x", CHART, namespace, {"greeting": "two"}, 60).revision == 2
    assert [row.status for row in helm.history("x", namespace)] == ["deployed", "superseded"]
    with pytest.raises(PermanentError) as raised:
        helm.upgrade_install("x", CHART, namespace, {"bogus": 1}, 60)
    assert raised.value.code == "values"
    helm.uninstall("x", namespace)
    helm.uninstall("x", namespace)
    assert helm.history("x", namespace) == []
    assert kube.get(STATEFUL_SET, "x", namespace) is None
