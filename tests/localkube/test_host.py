"""What a host has and does, seen through its API."""

import json

from localkube import LocalHost, Tools
from tests.localkube.driving import Kubectl, phase, pod_spec, wait_for


def test_a_host_offers_a_node_a_storage_class_and_an_ingress_class(host: LocalHost, tools: Tools) -> None:
    kubectl = Kubectl(tools.kubectl, host.kubeconfig)
    (node,) = kubectl.items("nodes")
    assert {"type": "Ready", "status": "True"}.items() <= node["status"]["conditions"][-1].items()
    (storage,) = kubectl.items("storageclasses")
    assert storage["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    assert [item["metadata"]["name"] for item in kubectl.items("ingressclasses")] == ["nginx"]
    assert kubectl("get", "secret", "localkube-secret", "--namespace=kube-system")


def test_pods_run_and_jobs_succeed_although_no_container_does(host: LocalHost, tools: Tools) -> None:
    kubectl = Kubectl(tools.kubectl, host.kubeconfig)
    kubectl.apply(pod_spec("plain"))
    kubectl("create", "job", "short", "--image=busybox")
    wait_for("the pod runs", lambda: phase(kubectl, "plain") == "Running")
    wait_for("the job is done", lambda: kubectl.json("get", "job", "short")["status"].get("succeeded") == 1)
    kubectl("delete", "pod", "plain", "--timeout=10s")


def test_a_claim_gets_a_volume_that_goes_with_it(host: LocalHost, tools: Tools) -> None:
    kubectl = Kubectl(tools.kubectl, host.kubeconfig)
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "some", "namespace": "default"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    kubectl.apply(claim)
    wait_for("bound", lambda: kubectl.json("get", "pvc", "some")["status"]["phase"] == "Bound")
    volume = kubectl.json("get", "pvc", "some")["spec"]["volumeName"]
    kubectl("delete", "pvc", "some", "--timeout=10s")
    names = {item["metadata"]["name"] for item in kubectl.items("persistentvolumes")}
    wait_for("no volume", lambda: volume not in names or volume not in kubectl("get", "persistentvolumes"))


def test_pod_security_is_enforced_where_a_namespace_asks_for_it(host: LocalHost, tools: Tools) -> None:
    kubectl = Kubectl(tools.kubectl, host.kubeconfig)
    kubectl("create", "namespace", "strict")
    kubectl("label", "namespace", "strict", "pod-security.kubernetes.io/enforce=baseline")
    pod = pod_spec("root", hostNetwork=True)
    pod["metadata"]["namespace"] = "strict"
    refusal = kubectl.refusal("create", "-f", "-", stdin=json.dumps(pod))
    assert 'violates PodSecurity "baseline' in refusal


def test_the_audit_log_tells_who_did_what(host: LocalHost, tools: Tools) -> None:
    kubectl = Kubectl(tools.kubectl, host.kubeconfig)
    kubectl("create", "configmap", "audited", "--from-literal=a=b")
    lines = [json.loads(line) for line in (host.folder / "audit.log").read_text().splitlines()]
    (seen,) = [
        line for line in lines if line["verb"] == "create" and line.get("objectRef", {}).get("name") == "audited"
    ]
    assert seen["user"]["username"] == "admin"
    assert seen["level"] == "Metadata"
