"""Sleep and wake by Marina against kubectl and a loop that looks: what upstream's pause and resume do, by hand."""

import statistics
import time
from collections.abc import Iterator
from functools import partial

from tests.bench.figures import Figure, tell
from tests.bench.places import Place, place, placement_of, seconds
from tests.bench.setup import Bench

PAIRS = 5
NAME = "sleepy"
SLEEP_SHARED_SECONDS = 1.0
"""So much longer a sleep may take besides a tenth: it looks for lone pods and exports everything first."""
WAKE_SHARED_SECONDS = 0.5
_LOOK = 0.1


def figures(bench: Bench) -> Iterator[Figure]:
    """One after the other in turns, so that both meet the same machine."""
    with place(bench) as where:
        where.marina.create(NAME)
        times: dict[str, list[float]] = {"sleep": [], "wake": [], "pause": [], "resume": []}
        for _ in range(PAIRS):
            times["sleep"].append(seconds(partial(where.marina.sleep, NAME)))
            begun = time.monotonic()
            all_back = where.marina.wake(NAME)
            times["wake"].append(time.monotonic() - begun)
            all_back()
            times["pause"].append(seconds(partial(_pause, where)))
            times["resume"].append(seconds(partial(_resume, where)))
        yield _compared("sleep_ratio", times["sleep"], times["pause"], SLEEP_SHARED_SECONDS)
        yield _compared("wake_ratio", times["wake"], times["resume"], WAKE_SHARED_SECONDS)


def _compared(name: str, ours: list[float], theirs: list[float], shared: float) -> Figure:
    marina, shell = statistics.median(ours), statistics.median(theirs)
    said = f"marina {marina:.2f} s, kubectl {shell:.2f} s; {shared:g} s of marina's are not counted"
    return tell(Figure(name, max(0.0, marina - shared) / shell, 1.10, at_most=True, said=said))


def _pause(where: Place) -> None:
    placement = placement_of(NAME)
    name, at = f"statefulset/{placement.release}", ("-n", placement.namespace)
    marks = ("loft.sh/paused=true", "loft.sh/paused-replicas=1", "loft.sh/paused-date=2026-11-23T10:00:00Z")
    where.on_host("annotate", name, *marks, *at)
    where.on_host("scale", name, "--replicas=0", *at)
    where.on_host("wait", "--for=delete", f"pod/{placement.release}-0", *at, "--timeout=60s")
    synced = ("-l", f"vcluster.loft.sh/managed-by={placement.release}")
    where.on_host("delete", "pods", *synced, *at, "--wait")


def _resume(where: Place) -> None:
    placement = placement_of(NAME)
    name, at = f"statefulset/{placement.release}", ("-n", placement.namespace)
    where.on_host("annotate", name, "loft.sh/paused-", "loft.sh/paused-replicas-", "loft.sh/paused-date-", *at)
    where.on_host("scale", name, "--replicas=1", *at)
    while not _answers(where):
        time.sleep(_LOOK)


def _answers(where: Place) -> bool:
    try:
        return where.inside(NAME)("get", "--raw", "/readyz") == "ok"
    except AssertionError:
        return False
