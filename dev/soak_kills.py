"""Processes that are killed at random times and started again at once, and the memory of those that are spared."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from dev.processes import Processes
from dev.soak_figures import Sample

BROKER = "broker"
FATES: Mapping[str, int] = {"worker-mortal-1": 5, "worker-mortal-2": 5, "probes": 1, "beat": 2, BROKER: 3}
"""What is killed, and how often in relation to each other."""
STEADY = "worker-steady"
"""Works as much as the others and is spared, so that its memory can be watched all the time."""


@dataclass(frozen=True)
class Kill:
    """One of the plan: when, in seconds since the start, and what."""

    at: float
    what: str


def kills_planned(*, count: int, seconds: float, seed: int) -> list[Kill]:
    """Spread over the time at random, none in the first seconds; the same for the same seed."""
    draw = Random(seed)  # noqa: S311 (no secret)
    names, weights = list(FATES), list(FATES.values())
    times = sorted(draw.uniform(0.02 * seconds, 0.98 * seconds) for _ in range(count))
    return [Kill(at, draw.choices(names, weights)[0]) for at in times]


class Killer:
    """Carries a plan out. Call it from the thread that lives longest: what it starts ends with that thread."""

    def __init__(self, processes: Processes, plan: list[Kill], *, start_broker: Callable[[], None]) -> None:
        self._processes = processes
        self._plan = plan
        self._start_broker = start_broker
        self.kills: Counter[str] = Counter()

    def kill_due(self, seconds: float) -> None:
        """Those whose time has come, each started again at once."""
        while self._plan and self._plan[0].at <= seconds:
            self.kill(self._plan.pop(0).what)

    def kill(self, what: str) -> None:
        """SIGKILL, and a new one."""
        self.kills[what] += 1
        if what == BROKER:
            self._processes.crash("valkey")
            self._start_broker()
            return
        (name,) = [name for name in self._processes.pids if name.partition(".")[0] == what]
        program = self._processes.crash(name)
        # a name of its own each time, as its log bears it
        self._processes.start(replace(program, name=f"{what}.{self.kills[what]}"))


class MemoryWatch:
    """Samples of resident memory, by process."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self.samples: dict[str, list[Sample]] = {name: [] for name in pids}

    def look(self, seconds: float) -> None:
        for name, pid in self._pids.items():
            self.samples[name].append(Sample(seconds, resident_bytes(pid)))


def resident_bytes(pid: int) -> int:
    """VmRSS. Raises OSError for a process that is gone."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024
