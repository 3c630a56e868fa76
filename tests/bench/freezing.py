"""For how long a cluster that moves cannot be written to, by the number of its objects: none of them is changed."""

import json
import statistics
from collections.abc import Iterator
from typing import Any

from tests.bench.figures import Figure, tell
from tests.bench.setup import Bench
from tests.bench.two_hosts import TwoHosts, seconds_of, steps_told, two_hosts
from tests.e2e.belongings import obj

SIZES = (500, 2_000, 5_000)
MOVES = 3
"""There, back and there again: what it came from is kept."""
NAMESPACES = 5
AT_ONCE = 500
TARGET = 1.3


def figures(bench: Bench) -> Iterator[Figure]:
    """Each size in turn, so that all meet the same machine."""
    with two_hosts(bench) as where:
        for size in SIZES:
            _made(where, size)
        frozen: dict[int, list[float]] = {size: [] for size in SIZES}
        last: dict[int, Any] = {}
        for number in range(MOVES):
            for size in SIZES:
                last[size] = where.marina.move(_name(size), to="" if number else where.there)
                frozen[size].append(last[size].params["measured"]["freeze_seconds"])
        medians = {size: statistics.median(each) for size, each in frozen.items()}
        for size in SIZES:
            whole, steps = seconds_of(last[size]), steps_told(last[size], most=8)
            print(f"  {size}: frozen for {frozen[size]} s; the last move took {whole:.1f} s: {steps}", flush=True)
        few, many = medians[SIZES[0]], medians[SIZES[-1]]
        told = ", ".join(f"{size} objects {seconds:.2f} s" for size, seconds in medians.items())
        said = f"{told}; medians of {MOVES} moves, 1 s of each is the gateways'"
        yield tell(Figure("freeze_ratio", many / few, TARGET, at_most=True, said=said))


def _name(size: int) -> str:
    return f"of-{size}"


def _made(where: TwoHosts, size: int) -> None:
    """Small ConfigMaps and Secrets in several namespaces, and a workload in each."""
    where.marina.make(_name(size), host=where.here)
    inside = where.inside(_name(size))
    spaces = [f"space-{number}" for number in range(NAMESPACES)]
    objects = [*(obj("v1", "Namespace", space) for space in spaces), *map(_workload, spaces)]
    objects += [_small(number, spaces[number % NAMESPACES]) for number in range(size - len(objects))]
    for begin in range(0, size, AT_ONCE):
        items = objects[begin : begin + AT_ONCE]
        inside("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    for space in spaces:
        inside("rollout", "status", "deployment/web", "-n", space, "--timeout=60s")


def _small(number: int, space: str) -> dict[str, Any]:
    name = f"object-{number:04d}"
    if number % 2:
        return obj("v1", "Secret", name, space, stringData={"key": f"value {number}"})
    return obj("v1", "ConfigMap", name, space, data={"key": f"value {number}"})


def _workload(space: str) -> dict[str, Any]:
    labels = {"app": "web"}
    pods = {"containers": [{"name": "main", "image": "web:1"}], "terminationGracePeriodSeconds": 1}
    template = {"metadata": {"labels": labels}, "spec": pods}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return obj("apps/v1", "Deployment", "web", space, spec=spec)
