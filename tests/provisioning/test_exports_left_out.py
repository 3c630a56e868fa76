"""Each line of the table of what an export leaves out: an object it leaves out, and one like it that is exported."""

from typing import Any

import pytest

from provisioning.exports.left_out import RULES, rule_for, rule_unread

RBAC = "rbac.authorization.k8s.io/v1"
Found = dict[str, Any]


def of(kind: str, name: str = "x", *, version: str = "v1", by: tuple[str, ...] = ("kubectl",), **more: Any) -> Found:
    meta = {"name": name, "managedFields": [{"manager": each} for each in by], **more.pop("meta", {})}
    return {"apiVersion": version, "kind": kind, "metadata": meta, **more}


def owned(by: str) -> Found:
    return {"ownerReferences": [{"kind": by, "name": "x", "uid": "1", "controller": True}]}


SYSTEM = ("kube-controller-manager",)
IN_SYSTEM = {"namespace": "kube-system"}
OWNER = {"ownerReferences": [{"kind": "ConfigMap", "name": "x", "uid": "1"}]}
OVER = {"conditions": [{"type": "Complete", "status": "True"}]}
MARINAS = {"labels": {"app.kubernetes.io/managed-by": "marina"}}
BOOTSTRAP = {"labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}}
KEPT_IN_STEP = {"annotations": {"apf.kubernetes.io/autoupdate-spec": "true"}}
SLICE, FLOW = "discovery.k8s.io/v1", "flowcontrol.apiserver.k8s.io/v1"
BY_CONTROLLER = {"labels": {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}}
API_SERVICE = "apiregistration.k8s.io/v1"

PAIRS: list[tuple[str, Found, Found]] = [
    (
        "being deleted",
        of("ConfigMap", meta={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
        of("ConfigMap"),
    ),
    ("marina-access", of("Namespace", "marina-access"), of("Namespace", "marina-access-2")),
    (
        "in the namespace marina-access",
        of("Secret", meta={"namespace": "marina-access"}),
        of("Secret", meta={"namespace": "marina"}),
    ),
    (
        "marina:*, labelled app.kubernetes.io/managed-by=marina",
        of("ClusterRoleBinding", "marina:user-1-admin", version=RBAC, meta=MARINAS),
        of("ClusterRoleBinding", "marina:mine", version=RBAC),
    ),
    (
        "labelled app.kubernetes.io/managed-by=marina",
        of("IngressClass", "nginx", version="networking.k8s.io/v1", meta=MARINAS),
        of("IngressClass", "nginx", version="networking.k8s.io/v1"),
    ),
    ("kube-root-ca.crt", of("ConfigMap", "kube-root-ca.crt", by=SYSTEM), of("ConfigMap", "my-root-ca.crt")),
    (
        "default, where nobody changed it",
        of("ServiceAccount", "default", by=()),
        of("ServiceAccount", "default", by=("kube-controller-manager", "kubectl-patch")),
    ),
    (
        "of Kubernetes' own controllers in the namespace kube-system, where nobody changed them",
        of("ServiceAccount", "job-controller", by=(), meta=IN_SYSTEM),
        of("ServiceAccount", "metrics-server", by=(), meta=IN_SYSTEM),
    ),
    (
        "kubernetes",
        of("ServiceCIDR", "kubernetes", version="networking.k8s.io/v1", by=()),
        of("ServiceCIDR", "more", version="networking.k8s.io/v1"),
    ),
    (
        "of type kubernetes.io/service-account-token",
        of("Secret", type="kubernetes.io/service-account-token"),
        of("Secret", type="kubernetes.io/dockerconfigjson"),
    ),
    (
        "written by a controller for a Service",
        of("EndpointSlice", version=SLICE, by=SYSTEM, meta=BY_CONTROLLER),
        of("EndpointSlice", version=SLICE, meta={"labels": {"endpointslice.kubernetes.io/managed-by": "mine.example"}}),
    ),
    (
        "kubernetes in the namespace default",
        of("Service", "kubernetes", by=("kube-apiserver",), meta={"namespace": "default"}),
        of("Service", "kubernetes", meta={"namespace": "shop"}),
    ),
    ("of a controller", of("Pod", meta=owned("ReplicaSet")), of("Pod", meta=OWNER)),
    (
        "of a controller",
        of("ReplicaSet", version="apps/v1", meta=owned("Deployment")),
        of("ReplicaSet", version="apps/v1"),
    ),
    (
        "of a controller",
        of("ControllerRevision", version="apps/v1", meta=owned("StatefulSet")),
        of("ControllerRevision", version="apps/v1"),
    ),
    (
        "of a CronJob, and finished",
        of("Job", version="batch/v1", meta=owned("CronJob"), status=OVER),
        of("Job", version="batch/v1", meta=owned("CronJob"), status={"active": 1}),
    ),
    (
        "of a CronJob, and finished",
        of("Job", version="batch/v1", meta=owned("CronJob"), status=OVER),
        of("Job", version="batch/v1", status=OVER),
    ),
    (
        "of a controller",
        of("ResourceClaim", version="resource.k8s.io/v1", meta=owned("Pod")),
        of("ResourceClaim", version="resource.k8s.io/v1"),
    ),
    (
        "provisioned for a claim",
        of("PersistentVolume", meta={"annotations": {"pv.kubernetes.io/provisioned-by": "csi.example"}}),
        of("PersistentVolume", spec={"nfs": {"server": "files"}}),
    ),
    (
        "system-*",
        of("PriorityClass", "system-node-critical", version="scheduling.k8s.io/v1", by=()),
        of("PriorityClass", "high", version="scheduling.k8s.io/v1"),
    ),
    (
        "annotated apf.kubernetes.io/autoupdate-spec=true",
        of("FlowSchema", "catch-all", version=FLOW, meta=KEPT_IN_STEP),
        of("FlowSchema", "mine", version=FLOW),
    ),
    (
        "without a service of their own",
        of("APIService", "v1.apps", version=API_SERVICE, spec={"group": "apps"}),
        of("APIService", "v1.metrics", version=API_SERVICE, spec={"service": {"name": "metrics"}}),
    ),
    (
        "labelled kubernetes.io/bootstrapping=rbac-defaults, where nobody changed them",
        of("ClusterRole", "admin", version=RBAC, by=("kube-apiserver",), meta=BOOTSTRAP),
        of("ClusterRole", "admin", version=RBAC, by=("kube-apiserver", "kubectl-edit"), meta=BOOTSTRAP),
    ),
    (
        "coredns and kube-dns in the namespace kube-system",
        of("Deployment", "coredns", version="apps/v1", meta=IN_SYSTEM),
        of("Deployment", "coredns", version="apps/v1", meta={"namespace": "dns"}),
    ),
    (
        "default and kube-*, where nobody changed them",
        of("Namespace", "kube-system", by=("kube-apiserver",)),
        of("Namespace", "default", by=("kube-apiserver", "kubectl-label")),
    ),
    (
        "in a namespace kube-*, written by nobody but Kubernetes and vcluster",
        of("ConfigMap", by=("kube-controller-manager", "vcluster"), meta=IN_SYSTEM),
        of("ConfigMap", by=("kube-controller-manager", "helm"), meta=IN_SYSTEM),
    ),
    (
        "written by nobody but the API server and vcluster's syncer",
        of("StorageClass", version="storage.k8s.io/v1", by=("vcluster",)),
        # a claim of a StatefulSet has no other writer than its controller
        of("PersistentVolumeClaim", by=("kube-controller-manager", "vcluster")),
    ),
]


@pytest.mark.parametrize(("rule", "out", "kept"), PAIRS, ids=[f"{each[1]['kind']} {each[0]}" for each in PAIRS])
def test_a_rule_leaves_out_what_it_says_and_nothing_like_it(rule, out, kept):
    found = rule_for(out)
    assert found is not None
    assert found.rule == rule
    assert rule_for(kept) is None


def test_every_rule_that_looks_at_objects_has_such_a_pair():
    proved = {(rule_for(out).rule, rule_for(out).reason) for _, out, _ in PAIRS}  # type: ignore[union-attr]
    assert {(rule.rule, rule.reason) for rule in RULES if rule.read} == proved


@pytest.mark.parametrize(
    ("version", "kind"),
    [("v1", "Event"), ("events.k8s.io/v1", "Event"), ("coordination.k8s.io/v1", "Lease"), ("v1", "Node")],
)
def test_whole_kinds_are_not_even_read(version, kind):
    assert rule_unread(version, kind)
    assert rule_unread("example.com/v1", kind) is None, "somebody's own kind of that name is another kind"


def test_a_program_whose_file_bears_its_version_is_the_same_writer():
    assert rule_for(of("Namespace", "default", by=("kube-apiserver-1.36.3",)))
    assert rule_for(of("ConfigMap", by=("kube-apiserver-of-mine",))) is None


def test_one_whose_writers_are_not_known_is_exported():
    assert rule_for(of("ConfigMap", by=())) is None
    assert rule_for(of("ConfigMap", by=(), meta=IN_SYSTEM)) is None


def test_an_own_kind_with_the_name_of_a_builtin_one_is_exported():
    assert rule_for(of("Pod", version="example.com/v1", meta=owned("Train"))) is None


def test_every_reason_is_a_sentence():
    for rule in RULES:
        assert rule.reason[0].isupper()
        assert rule.reason.endswith(".")
