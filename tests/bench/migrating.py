"""A cluster of about 500 objects moves to another host: by Marina, and by hand with helm and kubectl."""

import statistics
from collections.abc import Iterator
from typing import Any

from tests.bench.figures import Figure, tell
from tests.bench.moved_by_hand import ByHand
from tests.bench.places import seconds
from tests.bench.setup import Bench
from tests.bench.two_hosts import TwoHosts, made_with, seconds_of, steps_told, two_hosts
from tests.e2e.belongings import belongings, obj

PAIRS = 3
NAMESPACES, FILLING = 20, 15
BUSY = {"shop-1": 2, "shop-2": 1}
"""By namespace so many workloads that run, with two replicas each."""
TARGET = 1.5
"""It also exports, compares each object, copies status and owners, freezes and copies what was written meanwhile."""


def figures(bench: Bench) -> Iterator[Figure]:
    """One after the other in turns, so that both meet the same machine."""
    with two_hosts(bench) as where:
        pairs = [_pair(where, number) for number in range(PAIRS)]
        marina, shell = (statistics.median(each[side] for each in pairs) for side in (0, 1))
        said = (
            f"{pairs[0][2]} objects: marina {marina:.1f} s, helm and kubectl {shell:.1f} s, medians of {PAIRS}; "
            f"marina also exports, compares, and waits until each gateway knows"
        )
        yield tell(Figure("migration_ratio", marina / shell, TARGET, at_most=True, said=said))


def _pair(where: TwoHosts, number: int) -> tuple[float, float, int]:
    """Seconds of either, and how many objects moved."""
    moved, by_hand = f"moved-{number}", f"by-hand-{number}"
    for name in (moved, by_hand):
        count = _made(where, name)
    operation, bare = where.marina.move(moved, to=where.there), ByHand(where, by_hand)
    ours, theirs = seconds_of(operation), seconds(bare.move)
    frozen = operation.params["measured"]["freeze_seconds"]
    print(f"  marina {ours:.1f} s, frozen for {frozen:.1f} s: {steps_told(operation, most=8)}", flush=True)
    print(f"  helm and kubectl {theirs:.1f} s: {bare.told()}", flush=True)
    bare.remove()
    for name in (moved, by_hand):
        where.marina.purge(name)
    return ours, theirs, count


def _made(where: TwoHosts, name: str) -> int:
    """With all that is in it; how many objects that are."""
    owned = [*belongings(namespaces=NAMESPACES, filling=FILLING), *busy()]
    made_with(where, name, owned)
    for namespace, count in BUSY.items():
        for number in range(count):
            where.inside(name)("rollout", "status", f"deployment/busy-{number}", "-n", namespace, "--timeout=60s")
    return len(owned)


def busy() -> list[dict[str, Any]]:
    """Workloads that run."""
    return [each for namespace, count in BUSY.items() for each in _busy(namespace, count)]


def _busy(namespace: str, count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        labels = {"busy": "yes", "number": str(number)}
        template = {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "main", "image": "web:1"}], "terminationGracePeriodSeconds": 1},
        }
        spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
        yield obj("apps/v1", "Deployment", f"busy-{number}", namespace, spec=spec)
