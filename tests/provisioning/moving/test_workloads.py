"""What runs in a cluster is told apart by what would go wrong if it ran twice at once."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.moving.workloads import Order, Seen, Workload, orders_refused, workloads_in, workloads_ordered
from tests.provisioning.moving.samples import Found, binding, claiming, of, role, workload

CREATES_PODS = role("deployer", ("", "pods", "create"))


def only(*found: Found, rights: tuple[Found, ...] = (), leases: tuple[Found, ...] = ()) -> Workload:
    (one,) = workloads_in(Seen(found=found, rights=rights, leases=leases))
    return one


def keys(*found: Found) -> list[str]:
    return [str(each.key) for each in workloads_in(Seen(found=found))]


def test_a_deployment_of_several_without_volumes_starts_first() -> None:
    one = only(workload("Deployment", "web", replicas=3, pods={"terminationGracePeriodSeconds": 7}))
    assert (one.order, one.replicas, one.grace, one.claims) == (Order.START_FIRST, 3, 7.0, ())
    assert one.why == "It has 3 replicas and keeps no data in volumes."


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (workload("Deployment", "one"), "It has a single replica."),
        (workload("Deployment", "x", replicas=2, pods=claiming("data")), "It keeps data in volumes (data)."),
        (
            workload("Deployment", "x", replicas=2, spec={"strategy": {"type": "Recreate"}}),
            "Its strategy is Recreate: the old ones end before new ones start.",
        ),
        (workload("StatefulSet", "x", replicas=3), "Each pod of a StatefulSet exists once."),
        (of("Job", "x", spec={"parallelism": 4}), "What a Job does is not to be done twice at once."),
        (of("Pod", "x", spec={}), "It has a single replica."),
        (of("CronJob", "x", spec={}), "It starts no Jobs during the move, and goes on after it."),
    ],
)
def test_what_must_not_run_twice_stops_first(found: Found, why: str) -> None:
    one = only(found)
    assert (one.order, one.why) == (Order.STOP_FIRST, why)


def test_claims_of_each_pod_of_a_stateful_set_are_named() -> None:
    spec = {"volumeClaimTemplates": [{"metadata": {"name": "data"}}], "ordinals": {"start": 4}}
    assert only(workload("StatefulSet", "db", replicas=2, spec=spec)).claims == ("data-db-4", "data-db-5")


@pytest.mark.parametrize(
    ("subject", "in_namespace"),
    [
        (("ServiceAccount", "shop/robot"), ""),
        (("ServiceAccount", "shop/robot"), "other"),
        (("User", "system:serviceaccount:shop:robot"), ""),
        (("Group", "system:serviceaccounts:shop"), ""),
        (("Group", "system:serviceaccounts"), ""),
        (("Group", "system:authenticated"), ""),
    ],
)
def test_whoever_may_write_by_whichever_binding_is_a_controller(subject: tuple[str, str], in_namespace: str) -> None:
    found = workload("Deployment", "operator", replicas=2, pods={"serviceAccountName": "robot"})
    one = only(found, rights=(CREATES_PODS, binding(CREATES_PODS, subject, namespace=in_namespace)))
    assert one.order is Order.CONTROLLER
    assert one.why.startswith("It acts in the cluster: its ServiceAccount shop/robot may write pods, by the ")


@pytest.mark.parametrize(
    "rule",
    [
        ("", "pods", "get"),
        ("", "events", "create"),
        ("events.k8s.io", "events", "patch"),
        ("coordination.k8s.io", "leases", "update"),
        ("authorization.k8s.io", "selfsubjectaccessreviews", "create"),
        ("authentication.k8s.io", "tokenreviews", "create"),
    ],
)
def test_whoever_only_reads_elects_asks_or_tells_is_no_controller(rule: tuple[str, str, str]) -> None:
    harmless = role("harmless", rule)
    found = workload("Deployment", "web", replicas=2)
    rights = (harmless, binding(harmless, ("ServiceAccount", "shop/default")))
    assert only(found, rights=rights).order is Order.START_FIRST


def test_a_role_of_another_namespace_by_the_same_name_gives_nothing() -> None:
    elsewhere, here = role("r", ("", "pods", "create"), namespace="other"), role("r", namespace="shop")
    rights = (elsewhere, here, binding(here, ("ServiceAccount", "shop/default"), namespace="shop"))
    assert only(workload("Deployment", "web", replicas=2), rights=rights).order is Order.START_FIRST


def test_the_holder_of_a_leader_lease_is_a_controller_whatever_it_may() -> None:
    deployment = workload("Deployment", "web", replicas=2)
    replica_set = workload("ReplicaSet", "web-5d", owner=deployment)
    pod = of("Pod", "web-5d-abc", owner=replica_set, spec={})
    lease = of("Lease", "web-leader", spec={"holderIdentity": "web-5d-abc_3f1c"})
    one = only(deployment, replica_set, pod, leases=(lease,))
    assert (one.order, one.why) == (
        Order.CONTROLLER,
        "It leads by the Lease shop/web-leader: one of it may act at a time.",
    )


@pytest.mark.parametrize(
    ("namespace", "name"), [("kube-system", "kube-controller-manager"), ("kube-node-lease", "shop-0")]
)
def test_a_lease_of_the_control_plane_makes_nobody_a_controller(namespace: str, name: str) -> None:
    # its pod may be called as one of a tenant's is
    lease = of("Lease", name, namespace=namespace, spec={"holderIdentity": "shop-0_3f1c"})
    database = workload("StatefulSet", "shop")
    pod = of("Pod", "shop-0", owner=database, spec={})
    one = only(database, pod, leases=(lease,))
    assert one.order is Order.STOP_FIRST


def test_what_another_workload_owns_is_none_of_its_own() -> None:
    deployment, cron = workload("Deployment", "web", replicas=2), of("CronJob", "nightly", spec={})
    replica_set = workload("ReplicaSet", "web-5d", owner=deployment)
    running = of("Job", "nightly-1", owner=cron, spec={})
    pods = [of("Pod", "web-5d-a", owner=replica_set, spec={}), of("Pod", "nightly-1-a", owner=running, spec={})]
    assert keys(deployment, cron, replica_set, running, *pods) == [
        "Deployment.apps shop/web",
        "CronJob.batch shop/nightly",
        "Job.batch shop/nightly-1",
    ]


def test_what_an_operator_makes_is_stopped_but_not_carried() -> None:
    database = of("Cluster", "pg", version="postgresql.cnpg.io/v1")
    one = only(of("Pod", "pg-1", owner=database, spec=claiming("pg-1")))
    assert (one.order, one.carried, str(one.owner)) == (
        Order.STOP_FIRST,
        False,
        "Cluster.postgresql.cnpg.io shop/pg",
    )
    assert only(
        workload("StatefulSet", "prom", owner=of("Prometheus", "p", version="monitoring.coreos.com/v1"))
    ).carried


def test_the_clusters_own_dns_and_what_ended_or_was_suspended_are_left_out() -> None:
    assert (
        keys(
            workload(
                "Deployment", "coredns", namespace="kube-system", meta={"managedFields": [{"manager": "vcluster"}]}
            ),
            of("Pod", "done", spec={}, status={"phase": "Succeeded"}),
            of("Job", "done", spec={}, status={"conditions": [{"type": "Complete", "status": "True"}]}),
            of("Job", "later", spec={"suspend": True}),
            of("Pod", "static", owner=of("Node", "n1", namespace=""), spec={}),
        )
        == []
    )


def test_a_workload_is_ready_by_a_status_that_is_not_older_than_what_is_wanted() -> None:
    def web(**status: Any) -> Workload:
        return only(workload("Deployment", "web", replicas=2, meta={"generation": 3}, status=status))

    assert web(observedGeneration=3, readyReplicas=2).ready
    assert not web(observedGeneration=2, readyReplicas=2).ready
    assert not web(observedGeneration=3, readyReplicas=1).ready


def test_orders_are_changed_by_who_asks_and_refused_where_they_would_do_harm() -> None:
    free, volumes = workload("Deployment", "free"), workload("StatefulSet", "db", pods=claiming("data"))
    robot = workload("Deployment", "robot", pods={"serviceAccountName": "robot"})
    rights = (CREATES_PODS, binding(CREATES_PODS, ("ServiceAccount", "shop/robot")))
    workloads = workloads_in(Seen(found=(free, volumes, robot), rights=rights))
    asked = {
        "Deployment.apps shop/free": "start-first",
        "StatefulSet.apps shop/db": "start-first",
        "Deployment.apps shop/robot": "stop-first",
        "Deployment.apps shop/gone": "stop-first",
        "Deployment.apps shop/other": "sideways",
    }
    refused = orders_refused(workloads, asked)
    assert set(refused) == set(asked) - {"Deployment.apps shop/free"}
    assert refused["StatefulSet.apps shop/db"] == (
        "StatefulSet.apps shop/db cannot start first: two would write at once to what its claims stand for (data)."
    )
    orders = {each.key.name: each.order for each in workloads_ordered(workloads, asked)}
    assert orders == {"free": Order.START_FIRST, "db": Order.STOP_FIRST, "robot": Order.CONTROLLER}


SHAPES = st.builds(
    lambda kind, replicas, claims, account: workload(
        kind, "x", replicas=replicas, pods={**claiming(*claims), "serviceAccountName": account}
    ),
    st.sampled_from(["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"]),
    st.integers(0, 3),
    st.lists(st.sampled_from(["a", "b"]), max_size=2, unique=True),
    st.sampled_from(["default", "robot"]),
)


def numbered(shapes: list[Found]) -> list[Found]:
    return [{**each, "metadata": {**each["metadata"], "name": f"w{number}"}} for number, each in enumerate(shapes)]


@given(st.lists(SHAPES, max_size=6), st.sampled_from(Order), st.randoms(use_true_random=False))
def test_no_ask_starts_one_first_that_keeps_data_or_acts_in_the_cluster(
    shapes: list[Found], wanted: Order, chance: random.Random
) -> None:
    rights = (CREATES_PODS, binding(CREATES_PODS, ("ServiceAccount", "shop/robot")))
    found = numbered(shapes)
    plain = workloads_in(Seen(found=tuple(found), rights=rights))
    chance.shuffle(found)
    assert workloads_in(Seen(found=tuple(found), rights=rights)) == plain, "it depends on the order of reading"
    for before, after in zip(plain, workloads_ordered(plain, {str(each.key): wanted for each in plain}), strict=True):
        assert (after.order is Order.CONTROLLER) == (before.order is Order.CONTROLLER)
        assert not (after.claims and after.order is Order.START_FIRST)


@given(st.lists(SHAPES, max_size=6))
def test_more_rights_make_controllers_of_some_and_change_nothing_else(shapes: list[Found]) -> None:
    found = tuple(numbered(shapes))
    less = workloads_in(Seen(found=found))
    rights = (CREATES_PODS, binding(CREATES_PODS, ("ServiceAccount", "shop/robot")))
    more = workloads_in(Seen(found=found, rights=rights))
    for before, after in zip(less, more, strict=True):
        assert after.order in (before.order, Order.CONTROLLER)
