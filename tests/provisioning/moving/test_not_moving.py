"""What does not move as it is is told before, each with its choice, and nothing is told that is not there."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clusters.move_choices import MOVE_CHOICES
from clusters.preflight import Finding, Report, Weight
from provisioning.moving.expecting import GUESSED_FREEZE, GUESSED_STARTING, expected
from provisioning.moving.fitting import fitting
from provisioning.moving.host_seen import HostSeen
from provisioning.moving.inside import Custom, Inside, outside_why
from provisioning.moving.not_moving import not_moving
from provisioning.moving.workloads import Seen, workloads_in
from tests.provisioning.moving.samples import Found, claiming, of, workload

GIB = 1024**3


def claim(name: str, *, size: str = "10Gi", storage_class: str | None = "fast", phase: str = "Bound") -> Found:
    spec: Found = {"resources": {"requests": {"storage": size}}}
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    return of("PersistentVolumeClaim", name, spec=spec, status={"phase": phase})


def told(**parts: Any) -> dict[str, Finding]:
    return {each.code: each for each in not_moving(Inside(**parts), to="west")}


def running(*found: Found) -> dict[str, Any]:
    return {"workloads": workloads_in(Seen(found=found)), "templates": found}


def test_an_empty_cluster_moves_without_a_word() -> None:
    assert told() == {}


def test_bound_volumes_are_told_by_class_and_size_and_take_a_choice() -> None:
    claims = (claim("a"), claim("b", size="512Mi", storage_class=None), claim("c", phase="Pending"))
    found = told(claims=claims)["bound-volumes"]
    assert found.message == (
        "What volumes hold does not move: 2 claims with 10.5 GiB of volumes "
        "(fast: 1 claim, 10 GiB; the default class: 1 claim, 512 MiB)."
    )
    assert (found.weight, found.choice, set(found.options)) == (Weight.CHOICE, "volumes", {"recreate-empty"})
    assert found.about == "shop/a (10 GiB), shop/b (512 MiB)"
    assert "not offered yet" in found.hint


def test_no_move_with_volumes_begins_without_that_choice() -> None:
    report = Report(findings=tuple(not_moving(Inside(claims=(claim("a"),)), to="west")))
    assert report.in_the_way({})
    assert report.in_the_way({"volumes": "wait"}), "copying comes later"
    assert not report.in_the_way({"volumes": "recreate-empty"})


def test_folders_of_machines_count_as_volumes() -> None:
    pods = {"volumes": [{"name": "x", "hostPath": {"path": "/data"}}]}
    found = told(
        **running(workload("Deployment", "web", pods=pods)),
        volumes=(of("PersistentVolume", "disk", namespace="", spec={"local": {"path": "/d"}}),),
    )["volumes-on-nodes"]
    assert (found.choice, found.about) == ("volumes", "Deployment shop/web, PersistentVolume disk")


def test_running_jobs_and_lone_pods_take_a_choice_and_what_an_operator_makes_takes_none() -> None:
    made = of("Pod", "pg-1", owner=of("Cluster", "pg", version="postgresql.cnpg.io/v1"), spec={})
    found = told(**running(of("Job", "load", spec={}), of("Pod", "alone", spec={}), made))
    assert (found["running-jobs"].choice, found["running-jobs"].about) == ("jobs", "shop/load")
    assert (found["lone-pods"].choice, found["lone-pods"].about) == ("pods", "shop/alone")


def test_pods_that_may_end_later_than_a_move_waits_are_in_its_way() -> None:
    slow, slower = {"terminationGracePeriodSeconds": 900}, {"terminationGracePeriodSeconds": 901}
    found = told(
        **running(
            workload("Deployment", "ingress", pods=slow),
            workload("StatefulSet", "db", pods=slower),
            workload("Deployment", "idle", replicas=0, pods=slower),
            of("CronJob", "nightly", spec={"jobTemplate": {"spec": {"template": {"spec": slower}}}}),
        )
    )["long-grace"]
    assert (found.weight, found.about) == (Weight.BLOCKS, "StatefulSet.apps shop/db (901 s)")


def test_what_acts_outside_of_the_cluster_takes_a_word() -> None:
    balancer = of("Service", "front", spec={"type": "LoadBalancer"})
    named = of("Ingress", "shop", meta={"annotations": {"external-dns.alpha.kubernetes.io/hostname": "a.example"}})
    issued = of("Ingress", "tls", meta={"annotations": {"cert-manager.io/cluster-issuer": "le"}})
    bucket = Custom(kind="Bucket.s3.services.k8s.aws", why=outside_why("s3.services.k8s.aws"), names=("shop/b",))
    found = told(services=(balancer,), ingresses=(named, issued), customs=(bucket,))
    codes = {"load-balancers", "annotated-external-dns", "annotated-cert-manager", "acts-outside"}
    assert {code for code, each in found.items() if each.choice == "outside"} == codes
    assert found["acts-outside"].message == (
        "1 object of the kind Bucket.s3.services.k8s.aws: a controller makes resources of AWS by it."
    )
    assert outside_why("apps") == outside_why("notcert-manager.io") == ""


def test_without_admission_policies_somebody_has_to_agree() -> None:
    assert told(policies=False)["no-policies"].choice == "unfrozen"


def test_what_is_only_worth_knowing_keeps_nobody() -> None:
    found = told(
        accounts=("shop/robot", "shop/web"),
        pod_hooks=("sidecars",),
        aggregated=("v1.metrics.example",),
        converted=("gadgets.shop.example",),
        ended_jobs=("shop/load",),
        **running(
            of("CronJob", "nightly", spec={}),
            workload("Deployment", "web", pods={"serviceAccountName": "web"}),
        ),
    )
    assert {code: each.about for code, each in found.items()} == {
        "created-tokens": "shop/robot",
        "cron-jobs": "shop/nightly",
        "ended-jobs": "shop/load",
        "pod-webhooks": "sidecars",
        "aggregated-apis": "v1.metrics.example",
        "conversion-webhooks": "gadgets.shop.example",
    }
    assert {each.weight for each in found.values()} == {Weight.NOTE}


def test_what_is_bound_to_the_host_takes_a_choice() -> None:
    ports = [{"port": 80, "nodePort": 30080}, {"port": 81}]
    found = told(
        services=(
            of("Service", "np", spec={"type": "NodePort", "ports": ports, "externalIPs": ["192.0.2.1"]}),
            of("Service", "front", spec={"type": "LoadBalancer", "ports": ports, "loadBalancerIP": "192.0.2.7"}),
        ),
        ingresses=(of("Ingress", "web", spec={"rules": [{"host": "shop.example"}]}),),
        tokens=("ci/robot-token",),
        **running(workload("DaemonSet", "agent", pods={"hostNetwork": True})),
    )
    assert {code: (each.choice, each.about) for code, each in found.items() if code != "load-balancers"} == {
        "node-ports": ("node-ports", "shop/np:30080"),
        "external-ips": ("addresses", "shop/np (192.0.2.1), shop/front (192.0.2.7)"),
        "ingress-names": ("names", "shop.example"),
        "host-ports": ("names", "DaemonSet shop/agent"),
        "account-tokens": ("tokens", "ci/robot-token"),
    }


def test_what_is_bound_to_no_host_takes_none() -> None:
    assert not told(
        services=(
            of("Service", "web", spec={"type": "ClusterIP", "ports": [{"port": 80}]}),
            of("Service", "was", spec={"type": "ClusterIP", "ports": [{"port": 80, "nodePort": 0}], "externalIPs": []}),
        ),
        ingresses=(of("Ingress", "web", spec={"rules": [{"http": {}}], "defaultBackend": {}}),),
    )


def test_the_node_ports_of_a_balancer_are_no_reason_to_ask_for_them() -> None:
    spec = {"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 30080}], "healthCheckNodePort": 30081}
    assert set(told(services=(of("Service", "front", spec=spec),))) == {"load-balancers"}


def test_every_choice_that_is_asked_for_can_be_made() -> None:
    found = told(
        claims=(claim("a"),),
        services=(of("Service", "np", spec={"type": "NodePort", "ports": [{"nodePort": 30080}]}),),
        tokens=("ci/robot-token",),
        policies=False,
        **running(of("Job", "x", spec={}), of("Pod", "y", spec={})),
    )
    for each in found.values():
        if each.choice:
            assert each.options == MOVE_CHOICES[each.choice]


def lacks(inside: Inside, **target: Any) -> list[tuple[str, str]]:
    here = of("Node", "n7", namespace="", meta={"labels": {"kubernetes.io/hostname": "n7", "gpu": "1", "a": "b"}})
    source = HostSeen(name="east", ingress_classes=frozenset({"nginx"}), nodes=(here,))
    found = fitting(inside, source=source, target=HostSeen(**{"name": "west", **target}))
    return [(each.code, each.weight) for each in found]


def test_classes_that_the_target_lacks_are_in_the_way() -> None:
    inside = Inside(claims=(claim("a"), claim("b", storage_class=None)))
    blocks = ("storage-class-missing", Weight.BLOCKS)
    assert lacks(inside, storage_classes=frozenset({"slow"}), default_class="slow") == [blocks]
    assert lacks(inside, storage_classes=frozenset({"fast"})) == [blocks]
    assert lacks(inside, storage_classes=frozenset({"fast"}), default_class="fast") == []
    assert lacks(inside) == [("storage-classes-unknown", Weight.NOTE)]


def test_an_ingress_class_counts_where_the_source_had_it() -> None:
    def with_class(name: str) -> Inside:
        return Inside(ingresses=(of("Ingress", "web", spec={"ingressClassName": name}),))

    assert lacks(with_class("nginx")) == [("ingress-class-missing", Weight.BLOCKS)]
    assert lacks(with_class("nginx"), ingress_classes=frozenset({"nginx"})) == []
    assert lacks(with_class("brought-along")) == []


def node(**labels: str) -> Found:
    return of("Node", "n1", namespace="", meta={"labels": labels})


def test_nodes_asked_for_by_name_or_label_have_to_be_there() -> None:
    affinity = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}]
            }
        }
    }
    asking: list[Found] = [
        {"nodeName": "n7"},
        {"nodeSelector": {"kubernetes.io/hostname": "n7"}},
        {"affinity": affinity},
    ]
    for pods in asking:
        inside = Inside(templates=(workload("Deployment", "web", pods=pods),))
        assert lacks(inside, nodes=(node(),)) == [("no-such-node", Weight.BLOCKS)], pods
        assert lacks(inside) == [], "nobody may look"
    fits = Inside(templates=(workload("Deployment", "web", pods={"affinity": affinity, "nodeSelector": {"a": "b"}}),))
    assert lacks(fits, nodes=(node(gpu="1", a="b"),)) == []
    nowhere = Inside(templates=(workload("Deployment", "web", pods={"nodeSelector": {"there": "is-none"}}),))
    assert lacks(nowhere, nodes=(node(),)) == [], "no node takes it where it is now either"
    scheduled = Inside(templates=(of("Pod", "alone", spec={"nodeName": "n7"}),))
    assert lacks(scheduled, nodes=(node(),)) == [], "that is where it runs, and no wish"


def test_the_expected_times_follow_from_grace_periods_and_what_was_measured() -> None:
    found = workloads_in(
        Seen(
            found=(
                workload("Deployment", "web", replicas=2, pods={"terminationGracePeriodSeconds": 600}),
                workload("StatefulSet", "db", pods={**claiming("data"), "terminationGracePeriodSeconds": 45}),
                workload("Deployment", "off", replicas=0, pods=claiming("data")),
                of("CronJob", "nightly", spec={}),
            )
        )
    )
    database = "downtime with its full grace period of StatefulSet.apps shop/db"
    assert expected(found, freeze=None, starting=None, whole=None) == {
        "write freeze": GUESSED_FREEZE,
        "write freeze with full grace periods": GUESSED_FREEZE + 45 + 600,
        database: 45 + GUESSED_STARTING,
    }
    known = expected(found, freeze=3.5, starting=11.0, whole=40.0)
    assert (known["write freeze"], known["whole move"], known[database]) == (3.5, 40.0, 45 + 11.0)


@given(st.lists(st.sampled_from(["Deployment", "StatefulSet", "Job", "Pod", "CronJob"]), max_size=8))
def test_everything_in_a_report_can_be_kept_and_shown(kinds: list[str]) -> None:
    found = tuple(workload(kind, f"w{number}") for number, kind in enumerate(kinds))
    for each in not_moving(Inside(**running(*found)), to="west"):
        shown = each.as_json()
        assert shown["message"].endswith(".")
        assert (shown["weight"] == "choice") == bool(shown["choice"]) == bool(shown["options"])
