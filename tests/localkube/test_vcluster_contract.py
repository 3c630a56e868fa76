"""What the stand-in for vcluster has in common with vcluster: one test for each fact, named as the fact reads.

The facts were seen on a real vcluster (open source, 0.36.1, its own chart). What the stand-in does not keep:

- No container runs: no DNS, no traffic to pods. Logs, exec, attach and port-forward take the way they take with
  vcluster (test_pod_streams.py), and end where the host's administrator says (docs/local-hosts.md).
- The node's kubelet is found at 127.0.0.1, not at a service's address.
- Times: everything is several times faster than on a real node.
- A service's copy has a ClusterIP of its own, not the same one. Config and secrets that pods use are not copied, nor
  endpoints, events, priority classes, snapshots and service accounts, whatever `sync` says; from the host come one node
  and ingress classes only. Claims are told as Bound inside, without a volume there.
- A network policy's peers in other namespaces are translated by the namespace's name only.
- More than one control plane replica (the values schema refuses it), other backing stores, a Deployment instead of a
  StatefulSet where persistence is off, and the chart's own `policies` (accepted, without effect).
- Snapshots and restores.
- Keys are elliptic curve keys where vcluster's are RSA.
- The message of an image that cannot be pulled is worded like containerd's, but no registry was asked.
"""

import base64
import json
import ssl
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.localkube.conftest import MakeCluster
from tests.localkube.driving import CHART, Kubectl, VirtualCluster, phase, pod_spec, processes_of, wait_for

OLDER, NEWER = "v1.35.4", "v1.36.3"
VERSION_KEY = "controlPlane__distro__k8s__image__tag"


# --- installing


def test_helm_returns_long_before_the_pod_is_ready_and_the_secret_comes_before_the_api(
    new_cluster: MakeCluster,
) -> None:
    cluster = new_cluster("early")
    cluster.install()
    assert "early-0" not in cluster.names("pods") or not cluster.is_ready()
    wait_for("the secret", lambda: "vc-early" in cluster.names("secrets"))
    assert not cluster.is_ready()
    cluster.wait_ready()


def test_an_unknown_value_is_refused(hello: VirtualCluster) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        hello.install(controlPlane__bogus=True)
    assert "at '/controlPlane': additional properties 'bogus' not allowed" in refused.value.stderr


def test_objects_have_the_names_and_labels_of_the_official_chart(hello: VirtualCluster) -> None:
    labels = hello.get("statefulset", "hello")["metadata"]["labels"]
    expected = {"app": "vcluster", "release": "hello", "chart": "vcluster-0.36.1", "heritage": "Helm"}
    assert expected.items() <= labels.items()
    assert labels["app.kubernetes.io/managed-by"] == "Helm"
    spec = hello.pod()["spec"]
    assert [container["name"] for container in spec["initContainers"]] == ["kubernetes"]
    (syncer,) = spec["containers"]
    assert syncer["name"] == "syncer"
    assert {"cpu": "200m", "memory": "256Mi"}.items() <= syncer["resources"]["requests"].items()
    assert syncer["resources"]["limits"]["memory"] == "4Gi"
    assert {"vc-hello", "vc-workload-hello"} <= hello.names("serviceaccounts")
    assert hello.names("roles") == hello.names("rolebindings") == {"vc-hello"}
    assert "vc-config-hello" in hello.names("secrets")


def test_the_service_leads_from_443_to_8443(hello: VirtualCluster) -> None:
    (port,) = hello.get("service", "hello")["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (443, 8443)


def test_the_claim_is_5gi_and_outlives_the_statefulset(hello: VirtualCluster) -> None:
    assert hello.get("pvc", "data-hello-0")["spec"]["resources"]["requests"]["storage"] == "5Gi"
    policy = hello.get("statefulset", "hello")["spec"]["persistentVolumeClaimRetentionPolicy"]
    assert policy["whenDeleted"] == "Retain"


def test_no_object_is_cluster_scoped_by_default(hello: VirtualCluster) -> None:
    documents = list(yaml.safe_load_all(hello.helm("get", "manifest", "hello")))
    assert {document["metadata"]["namespace"] for document in documents if document} == {"marina-hello"}


def test_images_are_of_the_registry_asked_for(hello: VirtualCluster) -> None:
    sets = [
        "--set=controlPlane.advanced.defaultImageRegistry=registry.example",
        "--set=controlPlane.distro.k8s.image.tag=v9",
    ]
    rendered = hello.helm("template", "x", str(CHART), *sets)
    assert "registry.example/loft-sh/kubernetes:v9" in rendered
    assert "registry.example/loft-sh/vcluster-pro:0.36.1" in rendered


# --- access


def test_the_secret_is_a_super_admins_kubeconfig_for_localhost_8443(hello: VirtualCluster) -> None:
    secret = hello.secret()
    assert set(secret) == {"config", "certificate-authority", "client-certificate", "client-key", "token"}
    assert secret["token"] == b""
    config = yaml.safe_load(secret["config"])
    assert config["clusters"][0]["cluster"]["server"] == "https://localhost:8443"
    assert config["current-context"] == "kubernetes-super-admin@kubernetes"
    certificate = x509.load_pem_x509_certificate(secret["client-certificate"])
    (group,) = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert group.value == "system:masters"
    validity = certificate.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=364) < validity <= timedelta(days=365)


def test_the_secret_belongs_to_the_service(hello: VirtualCluster) -> None:
    (owner,) = hello.get("secret", "vc-hello")["metadata"]["ownerReferences"]
    service = hello.get("service", "hello")
    assert (owner["kind"], owner["uid"]) == ("Service", service["metadata"]["uid"])


def test_the_serving_certificate_names_every_way_to_the_api(hello: VirtualCluster) -> None:
    host, port = hello.endpoint().removeprefix("https://").split(":")
    certificate = x509.load_pem_x509_certificate(ssl.get_server_certificate((host, int(port))).encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "hello", "hello.marina-hello"} <= set(names.get_values_for_type(x509.DNSName))
    service_ip, pod_ip = hello.get("service", "hello")["spec"]["clusterIP"], hello.pod()["status"]["podIP"]
    assert {"127.0.0.1", service_ip, pod_ip} <= {str(ip) for ip in names.get_values_for_type(x509.IPAddress)}


def test_port_8443_of_the_pod_is_reached_through_the_hosts_api(hello: VirtualCluster) -> None:
    inside = hello.inside()
    with hello.forwarded() as (address, _):
        assert "v1.36.3" in inside(f"--server={address}", "version")


def test_tokens_last_600_seconds_at_least_and_are_held_to_their_rights(hello: VirtualCluster) -> None:
    inside = hello.inside()
    inside("create", "serviceaccount", "somebody")
    wait_for("token", lambda: inside("create", "token", "somebody", "--duration=600s"))
    token = inside("create", "token", "somebody", "--duration=600s").strip()
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["exp"] - claims["iat"] == 600
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 300}}
    path = "/api/v1/namespaces/default/serviceaccounts/somebody/token"
    refusal = inside.refusal("create", f"--raw={path}", "-f", "-", stdin=json.dumps(request))
    assert "may not specify a duration less than 10 minutes" in refusal
    tokens = _bare(inside)
    assert "Forbidden" in tokens.refusal("get", "secrets", f"--token={token}")
    assert "You must be logged in" in tokens.refusal("get", "secrets", "--token=bad")


def _bare(kubectl: Kubectl) -> Kubectl:
    """The same cluster without the certificate, which would win over a token."""
    config = yaml.safe_load(kubectl.kubeconfig.read_text())
    config["users"][0]["user"] = {}
    path = kubectl.kubeconfig.with_suffix(".bare")
    path.write_text(yaml.safe_dump(config))
    return Kubectl(kubectl.binary, path)


def test_the_syncer_acts_as_the_super_admin_of_the_secret(hello: VirtualCluster) -> None:
    who = hello.inside().json("auth", "whoami")["status"]["userInfo"]
    assert who["username"] == "kubernetes-super-admin"
    assert "system:masters" in who["groups"]


# --- synced pods


def test_a_deployments_pods_run_on_the_host_under_vclusters_names_and_labels(hello: VirtualCluster) -> None:
    inside = hello.inside()
    inside("create", "namespace", "shop")
    inside("create", "deployment", "web", "--image=nginx", "--namespace=shop")
    started = time.monotonic()
    (pod,) = wait_for("a pod", lambda: inside.items("pods", "--namespace=shop"))
    name = pod["metadata"]["name"]
    wait_for("running", lambda: phase(inside, name, "shop") == "Running")
    assert time.monotonic() - started < 5
    copy = hello.get("pod", f"{name}-x-shop-x-hello")
    labels = copy["metadata"]["labels"]
    assert labels["vcluster.loft.sh/managed-by"] == "hello"
    assert labels["vcluster.loft.sh/namespace"] == "shop"
    assert labels["app"] == "web"
    assert copy["metadata"]["ownerReferences"][0]["kind"] == "Service"
    assert {
        field["manager"]
        for field in hello.get("pod", copy["metadata"]["name"], "--show-managed-fields")["metadata"]["managedFields"]
    } >= {"vcluster"}
    running = inside.json("get", "pod", name, "--namespace=shop")
    assert running["status"]["podIP"] == copy["status"]["podIP"]
    assert running["spec"]["nodeName"] == copy["spec"]["nodeName"] == "shared-node"
    inside("delete", "namespace", "shop", "--timeout=20s")
    wait_for("no copy", lambda: copy["metadata"]["name"] not in hello.names("pods"))


def test_copies_are_made_as_the_charts_service_account(hello: VirtualCluster) -> None:
    inside = hello.inside()
    inside.apply(pod_spec("whose"))
    wait_for("running", lambda: phase(inside, "whose") == "Running")
    lines = map(json.loads, (hello.host.folder / "audit.log").read_text().splitlines())
    makers = {
        line["user"]["username"]
        for line in lines
        if line["verb"] == "create"
        and line.get("objectRef", {}).get("name") == "whose-x-default-x-hello"
        and "subresource" not in line["objectRef"]  # the scheduler binds it
    }
    assert makers == {"system:serviceaccount:marina-hello:vc-hello"}


def test_a_copy_deleted_on_the_host_takes_the_virtual_pod_with_it(hello: VirtualCluster) -> None:
    inside = hello.inside()
    inside("create", "deployment", "again", "--image=nginx")
    inside("rollout", "status", "deployment/again", "--timeout=20s")
    (first,) = inside.items("pods", "--selector=app=again")
    hello.on_host("delete", "pod", f"{first['metadata']['name']}-x-default-x-hello", "--namespace=marina-hello")

    def replaced() -> bool:
        pods = inside.items("pods", "--selector=app=again")
        return len(pods) == 1 and pods[0]["metadata"]["uid"] != first["metadata"]["uid"]

    wait_for("a new pod in its place", replaced)
    inside("rollout", "status", "deployment/again", "--timeout=20s")
    inside("delete", "deployment", "again")


def test_a_pod_that_mounts_config_secrets_and_tokens_runs(hello: VirtualCluster) -> None:
    inside = hello.inside()
    token = {"serviceAccountToken": {"path": "token", "audience": "somebody"}}
    volumes = [
        {"name": "config", "configMap": {"name": "settings"}},
        {"name": "secret", "secret": {"secretName": "password"}},
        {"name": "scratch", "emptyDir": {}},
        {"name": "token", "projected": {"sources": [token, {"secret": {"name": "password"}}]}},
    ]
    variable = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "password", "key": "a"}}}
    inside.apply(pod_spec("mounting", volumes=volumes, container={"env": [variable]}))
    wait_for("running", lambda: phase(inside, "mounting") == "Running")
    copy = hello.get("pod", "mounting-x-default-x-hello")["spec"]
    by_name = {volume["name"]: volume for volume in copy["volumes"]}
    assert by_name["config"]["configMap"]["name"] == "settings-x-default-x-hello"
    assert by_name["secret"]["secret"]["secretName"] == "password-x-default-x-hello"
    assert copy["serviceAccountName"] == "vc-workload-hello"


def test_a_pod_over_the_hosts_quota_stays_pending_with_a_sync_error(new_cluster: MakeCluster) -> None:
    cluster = new_cluster("bounded")
    quota = {"limits.memory": "10Gi"}
    meta = {"name": "q", "namespace": cluster.namespace}
    cluster.install(controlPlane__distro__k8s__image__tag=NEWER)
    cluster.wait_ready()
    cluster.on_host.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": quota}})
    wait_for("the quota counts", lambda: cluster.get("resourcequota", "q").get("status", {}).get("used"))
    inside = cluster.inside()
    inside.apply(pod_spec("greedy"))
    assert "failed quota: q: must specify limits.memory" in _sync_error(inside, "greedy")
    pod = inside.json("get", "pod", "greedy")
    assert pod["status"]["phase"] == "Pending"
    assert not pod["status"].get("conditions")
    cluster.on_host("delete", "resourcequota", "q", f"--namespace={cluster.namespace}")
    wait_for("it runs after all", lambda: phase(inside, "greedy") == "Running")


def test_services_and_claims_are_copied_by_default_and_a_pod_with_a_claim_runs(hello: VirtualCluster) -> None:
    inside = hello.inside()
    inside("create", "service", "clusterip", "front", "--tcp=80")
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    meta = {"name": "disk", "namespace": "default"}
    inside.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": claim})
    inside.apply(pod_spec("storing", volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "disk"}}]))
    wait_for("it runs", lambda: phase(inside, "storing") == "Running")
    wait_for("bound inside", lambda: inside.json("get", "pvc", "disk")["status"]["phase"] == "Bound")
    assert "front-x-default-x-hello" in hello.names("services")
    assert "disk-x-default-x-hello" in hello.names("pvc")
    inside("delete", "service", "front")
    wait_for("no copy", lambda: "front-x-default-x-hello" not in hello.names("services"))


def test_ingresses_policies_and_budgets_are_copied_and_ingress_classes_seen_only_when_asked_for(
    hello: VirtualCluster, new_cluster: MakeCluster
) -> None:
    cluster = new_cluster("open")
    kinds = {"ingresses", "networkPolicies", "podDisruptionBudgets"}
    cluster.install(
        sync__fromHost__ingressClasses__enabled=True, **{f"sync__toHost__{k}__enabled": True for k in kinds}
    )
    cluster.wait_ready()
    inside = cluster.inside()
    wait_for("the host's class", lambda: "nginx" in inside("get", "ingressclasses"))
    for kubectl in (inside, hello.inside()):
        kubectl("create", "ingress", "site", "--class=nginx", "--rule=a.example/*=web:80")
        kubectl("create", "poddisruptionbudget", "steady", "--selector=app=web", "--min-available=1")
        policy = {"podSelector": {}, "policyTypes": ["Ingress"]}
        meta = {"name": "closed", "namespace": "default"}
        kubectl.apply({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": policy})
    wait_for("the ingress", lambda: cluster.names("ingress") == {"site-x-default-x-open"})
    wait_for("the budget", lambda: cluster.names("pdb") == {"steady-x-default-x-open"})
    wait_for("the policy", lambda: cluster.names("networkpolicy") == {"closed-x-default-x-open"})
    backend = cluster.get("ingress", "site-x-default-x-open")["spec"]["rules"][0]["http"]["paths"][0]["backend"]
    assert backend["service"]["name"] == "web-x-default-x-open"
    assert hello.names("ingress") == hello.names("pdb") == set()
    assert "nginx" not in hello.inside()("get", "ingressclasses", "--output=name")


def test_coredns_is_deployed_inside_and_counts_on_the_host(hello: VirtualCluster) -> None:
    (copy,) = wait_for("coredns", lambda: hello.synced("kube-system"))
    assert copy["metadata"]["labels"]["k8s-app"] == "vcluster-kube-dns"
    assert copy["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "20m", "memory": "64Mi"}


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("privileged", {"container": {"securityContext": {"privileged": True}}}),
        ("hostnetwork", {"hostNetwork": True}),
        ("hostpath", {"volumes": [{"name": "root", "hostPath": {"path": "/"}}]}),
    ],
)
def test_what_pod_security_forbids_is_refused_by_the_host(hello: VirtualCluster, name: str, spec: dict) -> None:  # type: ignore[type-arg]
    hello.on_host("label", "--overwrite", "namespace", "marina-hello", "pod-security.kubernetes.io/enforce=baseline")
    inside = hello.inside()
    inside.apply(pod_spec(name, **spec))
    message = _sync_error(inside, name)
    assert message.startswith("Error syncing to host cluster: ")
    assert 'violates PodSecurity "baseline' in message
    assert phase(inside, name) == "Pending"


def _sync_error(inside: Kubectl, pod: str) -> str:
    selector = f"--field-selector=reason=SyncError,involvedObject.name={pod}"
    return str(wait_for("a SyncError", lambda: inside.items("events", selector))[0]["message"])


# --- the control plane and its pod


def test_a_deleted_secret_is_made_again_at_the_pods_next_start_only(new_cluster: MakeCluster) -> None:
    cluster = new_cluster("secretive")
    cluster.install(exportKubeConfig__server="https://elsewhere.example")
    cluster.wait_ready()
    config = yaml.safe_load(cluster.secret()["config"])
    assert config["clusters"][0]["cluster"]["server"] == "https://elsewhere.example"
    cluster.on_host("delete", "secret", "vc-secretive", f"--namespace={cluster.namespace}")
    old = cluster.pod()["metadata"]["uid"]
    assert "vc-secretive" not in cluster.names("secrets")
    cluster.on_host("delete", "pod", "secretive-0", f"--namespace={cluster.namespace}")
    cluster.wait_replaced(old)
    assert "vc-secretive" in cluster.names("secrets")


def test_a_forward_dies_with_the_pod_and_so_does_the_api(new_cluster: MakeCluster) -> None:
    cluster = new_cluster("mortal")
    cluster.install()
    cluster.wait_ready()
    inside, old = cluster.inside(), cluster.pod()["metadata"]["uid"]
    inside("create", "configmap", "kept")
    with cluster.forwarded() as (address, forward):
        assert inside(f"--server={address}", "get", "namespaces")
        watch: list[str | Path] = [
            inside.binary,
            f"--kubeconfig={inside.kubeconfig}",
            f"--server={address}",
            "get",
            "pods",
            "--watch",
        ]
        with subprocess.Popen(watch, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as watching:
            wait_for("the watch is open", lambda: watching.poll() is None)
            cluster.on_host("delete", "pod", "mortal-0", f"--namespace={cluster.namespace}")
            assert forward.wait(timeout=10) != 0
            watching.kill()
    cluster.wait_replaced(old)
    assert inside("get", "configmap", "kept")  # the same data, keys and address under a new pod
    with cluster.forwarded() as (address, _):
        assert inside(f"--server={address}", "get", "namespaces")


def test_a_changed_value_replaces_the_pod_and_the_same_values_do_not(new_cluster: MakeCluster) -> None:
    cluster = new_cluster("changing")
    cluster.install(**{VERSION_KEY: OLDER})
    cluster.wait_ready()
    inside, first = cluster.inside(), cluster.pod()["metadata"]["uid"]
    inside("create", "deployment", "web", "--image=nginx")
    inside("rollout", "status", "deployment/web", "--timeout=20s")
    (workload,) = cluster.synced()
    assert inside.raw("/version")["gitVersion"] == OLDER
    cluster.install(**{VERSION_KEY: OLDER})
    assert cluster.get("statefulset", "changing")["status"]["currentReplicas"] == 1
    assert cluster.pod()["metadata"]["uid"] == first
    cluster.install(**{VERSION_KEY: NEWER})
    cluster.wait_replaced(first)
    assert inside.raw("/version")["gitVersion"] == NEWER
    (after,) = cluster.synced()
    assert after["metadata"]["uid"] == workload["metadata"]["uid"]  # workloads do not notice


def test_a_wrong_image_tag_waits_in_image_pull_backoff_and_a_rollback_heals(new_cluster: MakeCluster) -> None:
    cluster = new_cluster("mistyped")
    cluster.install()
    cluster.wait_ready()
    cluster.install(**{VERSION_KEY: "v1.99.0"})

    def waiting() -> dict[str, str]:
        statuses = cluster.pod()["status"].get("initContainerStatuses", [])
        return dict(statuses[0]["state"].get("waiting", {})) if statuses else {}

    told = wait_for("it waits for its image", waiting)
    assert told["reason"] == "ImagePullBackOff"
    assert "loft-sh/kubernetes:v1.99.0" in told["message"]
    assert "Init:ImagePullBackOff" in cluster.on_host("get", "pod", "mistyped-0", f"--namespace={cluster.namespace}")
    old = cluster.pod()["metadata"]["uid"]
    cluster.helm("rollback", "mistyped")
    cluster.wait_replaced(old)


def test_too_small_a_quota_shows_as_an_event_only_and_raised_lets_it_start(new_cluster: MakeCluster) -> None:
    cluster = new_cluster("cramped")
    meta = {"name": "q", "namespace": cluster.namespace}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": {"limits.memory": "1Gi"}}}
    cluster.on_host.apply(quota)
    cluster.install()
    place = f"--namespace={cluster.namespace}"
    events = wait_for(
        "FailedCreate", lambda: cluster.on_host.items("events", place, "--field-selector=reason=FailedCreate")
    )
    assert "exceeded quota: q, requested: limits.memory=" in events[0]["message"]
    assert not cluster.get("statefulset", "cramped")["status"].get("conditions")
    cluster.on_host("delete", "resourcequota", "q", place)
    cluster.wait_ready()


# --- asleep, deleted, revived


def test_asleep_the_control_plane_is_gone_and_waking_brings_back_what_has_a_controller(
    new_cluster: MakeCluster,
) -> None:
    cluster = new_cluster("sleepy")
    cluster.install()
    cluster.wait_ready()
    inside = cluster.inside()
    inside("create", "deployment", "web", "--image=nginx")
    inside("rollout", "status", "deployment/web", "--timeout=20s")
    inside.apply(pod_spec("alone"))
    wait_for("running", lambda: phase(inside, "alone") == "Running")
    place = f"--namespace={cluster.namespace}"
    before = {pod["metadata"]["name"] for pod in cluster.synced()}

    cluster.on_host("scale", "statefulset", "sleepy", "--replicas=0", place)
    wait_for("no control plane", lambda: "sleepy-0" not in cluster.names("pods"), within=5)
    assert "refused" in inside.refusal("get", "pods")
    cluster.on_host("delete", "pods", "--selector=vcluster.loft.sh/managed-by=sleepy", place)
    assert cluster.names("pods") == set()
    assert "data-sleepy-0" in cluster.names("pvc")
    assert "vc-sleepy" in cluster.names("secrets")

    cluster.on_host("scale", "statefulset", "sleepy", "--replicas=1", place)
    cluster.wait_ready()
    copies = wait_for("the deployment's pod", cluster.synced)
    assert not {pod["metadata"]["name"] for pod in copies} & before
    wait_for("the lone pod is gone", lambda: "alone" not in inside("get", "pods"))


def test_an_upgrade_asleep_conflicts_on_replicas_unless_the_values_say_zero(new_cluster: MakeCluster) -> None:
    cluster = new_cluster("dozing")
    cluster.install()
    cluster.wait_ready()
    place = f"--namespace={cluster.namespace}"
    cluster.on_host("patch", "statefulset", "dozing", '--patch={"spec":{"replicas":0}}', place)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        cluster.install(**{VERSION_KEY: OLDER})
    assert ".spec.replicas" in refused.value.stderr
    cluster.install(
        controlPlane__distro__k8s__image__tag=NEWER, controlPlane__statefulSet__highAvailability__replicas=0
    )
    assert cluster.get("statefulset", "dozing")["spec"]["replicas"] == 0
    cluster.on_host("patch", "statefulset", "dozing", '--patch={"spec":{"replicas":1}}', place)
    cluster.wait_ready()
    cluster.install(controlPlane__statefulSet__highAvailability__replicas=1)


def test_uninstalled_it_leaves_its_claim_and_installed_again_it_revives(new_cluster: MakeCluster) -> None:
    cluster = new_cluster("phoenix")
    cluster.install()
    cluster.wait_ready()
    inside = cluster.inside()
    inside("create", "configmap", "remembered")
    inside.apply(pod_spec("worker"))
    wait_for("running", lambda: phase(inside, "worker") == "Running")
    cluster.helm("uninstall", "phoenix")
    wait_for("no pod, not the tenant's either", lambda: cluster.names("pods") == set())
    assert cluster.names("pvc") == {"data-phoenix-0"}

    cluster.install()
    cluster.wait_ready()
    assert cluster.inside()("get", "configmap", "remembered")

    cluster.helm("uninstall", "phoenix")
    cluster.on_host("delete", "pvc", "data-phoenix-0", f"--namespace={cluster.namespace}", "--timeout=10s")
    cluster.install()
    cluster.wait_ready()
    assert "not found" in cluster.inside().refusal("get", "configmap", "remembered")


def test_a_namespace_deleted_with_everything_in_it_ends_the_processes_and_the_data(new_cluster: MakeCluster) -> None:
    cluster = new_cluster("doomed")
    cluster.install()
    cluster.wait_ready()
    claim = cluster.get("pvc", "data-doomed-0")["metadata"]["uid"]
    assert any("kube-apiserver" in line for line in processes_of(cluster.host.folder / "volumes" / claim).values())
    cluster.on_host("delete", "namespace", cluster.namespace, "--wait=false")
    wait_for("no process", lambda: not processes_of(cluster.host.folder / "volumes" / claim))
    wait_for("no data", lambda: not (cluster.host.folder / "volumes" / claim).exists(), within=30)


def test_two_virtual_clusters_know_nothing_of_each_other(hello: VirtualCluster, new_cluster: MakeCluster) -> None:
    other = new_cluster("other")
    other.install(**{VERSION_KEY: OLDER})
    other.wait_ready()
    other.inside()("create", "namespace", "only-other")
    assert "only-other" not in hello.inside()("get", "namespaces")
    assert "x509" in other.inside().refusal("get", "pods", f"--server={hello.endpoint()}")
