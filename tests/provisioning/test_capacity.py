"""What nodes give and pods ask for is counted as the scheduler counts it."""

from typing import Any

import pytest

from provisioning.capacity import Amount, nodes_sum, pod_requests, pods_sum
from provisioning.drivers.quantities import millicores, units


@pytest.mark.parametrize(
    ("quantity", "expected"), [("250m", 250), ("2", 2000), (1, 1000), ("1.5", 1500), ("100u", 1), (None, 0), ("x", 0)]
)
def test_cpu_is_counted_in_millicores_rounded_up(quantity, expected):
    assert millicores(quantity) == expected


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [("128974848", 128974848), ("129M", 129_000_000), ("123Mi", 123 * 1024**2), ("1e3", 1000), ("", 0), ("many", 0)],
)
def test_memory_is_counted_in_bytes(quantity, expected):
    assert units(quantity) == expected


def container(cpu: str, **fields) -> dict[str, Any]:
    return {"resources": {"requests": {"cpu": cpu, "memory": "1Mi"}}, **fields}


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        ({"containers": [container("100m"), container("200m")]}, 300),
        ({"containers": [container("100m")], "initContainers": [container("1")]}, 1000),
        ({"containers": [container("2")], "initContainers": [container("1")]}, 2000),
        ({"containers": [container("1")], "initContainers": [container("500m", restartPolicy="Always")]}, 1500),
        (
            {
                "containers": [container("100m")],
                "initContainers": [container("500m", restartPolicy="Always"), container("1")],
            },
            1500,
        ),
        ({"containers": [container("1")], "overhead": {"cpu": "250m"}}, 1250),
        ({"containers": [container("1")], "resources": {"requests": {"cpu": "3"}}}, 3000),
        ({"containers": [{}]}, 0),
    ],
    ids=[
        "sum",
        "greater init",
        "smaller init",
        "sidecar",
        "init beside a sidecar",
        "overhead",
        "of the pod",
        "nothing",
    ],
)
def test_a_pod_asks_for_what_the_scheduler_sets_aside(spec, cpu):
    assert pod_requests(spec).cpu == cpu
    assert pod_requests(spec).pods == 1


def test_requests_of_a_pod_itself_count_only_for_what_they_name():
    asks = pod_requests({"containers": [container("1")], "resources": {"requests": {"cpu": "3"}}})
    assert asks == Amount(cpu=3000, memory=1024**2, pods=1)


def node(*, ready: str = "True", **spec) -> dict[str, Any]:
    allocatable = {"cpu": "4", "memory": "8Gi", "pods": "110"}
    return {"spec": spec, "status": {"allocatable": allocatable, "conditions": [{"type": "Ready", "status": ready}]}}


def test_only_nodes_that_take_pods_are_counted():
    found = nodes_sum([node(), node(), node(ready="Unknown"), node(unschedulable=True), {"status": {}}])
    assert (found["nodes"], found["nodes_ready"]) == (5, 2)
    assert found["allocatable"] == {"cpu": 8000, "memory": 16 * 1024**3, "pods": 220}


def test_no_pod_asks_for_nothing():
    assert pods_sum([]) == {"requested": {"cpu": 0, "memory": 0, "pods": 0}, "requested_by_namespace": {}}
