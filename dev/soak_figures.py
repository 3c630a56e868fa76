"""What a soak is judged by: counts, what is left on hosts, and whether memory stays flat. Nothing has effects."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

FULL_SECONDS = 1800
FULL_PAIRS = 150
FULL_KILLS = 60
"""What a run of full length has to reach; a shorter one in proportion."""
GROWTH_BOUND = 1.05
"""A worker's memory in the last third of its run, against the second third. The first third is for warming up."""
SAMPLES_NEEDED = 9
BEGIN, END = "<!-- soak: written by `make soak` -->", "<!-- soak: end -->"
_HEADING = "## The last soak"


@dataclass(frozen=True)
class Targets:
    """How many pairs of creations and deletions, and how many kills, a run of some length has to reach."""

    pairs: int
    kills: int


def targets_for(seconds: float) -> Targets:
    """In proportion to the full length, and at least one."""
    part = seconds / FULL_SECONDS
    return Targets(pairs=max(1, int(FULL_PAIRS * part)), kills=max(1, int(FULL_KILLS * part)))


@dataclass(frozen=True)
class Sample:
    """Resident memory of a process at a time since the start."""

    seconds: float
    bytes: int


@dataclass(frozen=True)
class Memory:
    """How a process's memory went. `growth`: last third against second third; `slope`: bytes an hour, least squares."""

    growth: float
    slope: float
    last: int

    @property
    def flat(self) -> bool:
        return self.growth <= GROWTH_BOUND


def memory_of(samples: Sequence[Sample]) -> Memory | None:
    """None where there are too few samples to tell."""
    if len(samples) < SAMPLES_NEEDED:
        return None
    third = len(samples) // 3
    middle = fmean(sample.bytes for sample in samples[third : 2 * third])
    last = fmean(sample.bytes for sample in samples[2 * third :])
    return Memory(growth=last / middle, slope=_slope(samples[third:]) * 3600, last=samples[-1].bytes)


def _slope(samples: Sequence[Sample]) -> float:
    """Bytes a second, by least squares."""
    time, size = fmean(s.seconds for s in samples), fmean(s.bytes for s in samples)
    spread = sum((s.seconds - time) ** 2 for s in samples)
    return sum((s.seconds - time) * (s.bytes - size) for s in samples) / spread if spread else 0.0


def left_over(before: Mapping[str, Collection[str]], after: Mapping[str, Collection[str]]) -> list[str]:
    """What hosts have that they had not before, as HOST: KIND NAMESPACE/NAME. What went is no concern here."""
    return [
        f"{host}: {each}" for host, names in sorted(after.items()) for each in sorted(set(names) - set(before[host]))
    ]


@dataclass(frozen=True)
class Ended:
    """An operation at the end of the run."""

    kind: str
    state: str
    why: str = ""


def states_counted(operations: Sequence[Ended]) -> dict[str, int]:
    """By kind and state, as `provision Succeeded`."""
    counted = Counter(f"{operation.kind} {operation.state}" for operation in operations)
    return dict(sorted(counted.items()))


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that a run found."""

    seconds: float
    seed: int
    targets: Targets
    pairs: int
    kills: Mapping[str, int]
    most_alive: int
    operations: Sequence[Ended]
    stuck: Sequence[str]
    slots_held: int
    left: Sequence[str]
    memory: Mapping[str, Memory | None]
    tests: str = "left out"
    trouble: Sequence[str] = field(default_factory=tuple)

    def verdicts(self) -> list[tuple[str, bool]]:
        """Each thing that has to hold, as a sentence with its figure, and whether it does."""
        failed = [f"{o.kind}: {o.why}" for o in self.operations if o.state == "Failed"]
        kills = sum(self.kills.values())
        by_target = ", ".join(f"{name} {count}" for name, count in sorted(self.kills.items()))
        held = [
            (
                f"{self.pairs} clusters provisioned and deleted (at least {self.targets.pairs})",
                self.pairs >= self.targets.pairs,
            ),
            (f"{kills} processes killed (at least {self.targets.kills}): {by_target}", kills >= self.targets.kills),
            (f"at most {self.most_alive} clusters alive at once (at most 8)", self.most_alive <= 8),
            (_counted("operations stuck", self.stuck), not self.stuck),
            (_counted("operations Failed", failed), not failed),
            (_counted("objects left on the hosts", self.left), not self.left),
            (f"{self.slots_held} slots still held", not self.slots_held),
            (f"long variants of the tests of faults: {self.tests}", "failed" not in self.tests),
            (_counted("other troubles", self.trouble), not self.trouble),
        ]
        return [*held, *(_of_memory(name, memory) for name, memory in sorted(self.memory.items()))]

    def with_tests(self, said: str) -> "Findings":
        """The same, and how the long variants of tests ended."""
        return replace(self, tests=said)

    @property
    def well(self) -> bool:
        return all(holds for _, holds in self.verdicts())


def _counted(what: str, found: Sequence[str]) -> str:
    shown = "; ".join(found[:10])
    return f"{len(found)} {what}" + (f": {shown}" if found else "")


def _of_memory(name: str, memory: Memory | None) -> tuple[str, bool]:
    if memory is None:
        return f"memory of {name}: the run was too short to tell", True
    mib = 1024 * 1024
    said = f"{memory.last / mib:.0f} MiB, last third {memory.growth:.3f} of the second (at most {GROWTH_BOUND})"
    return f"memory of {name}: {said}, {memory.slope / mib:+.1f} MiB an hour", memory.flat


def summary(findings: Findings, *, date: str, commit: str) -> str:
    """For people, as Markdown."""
    word = "everything held" if findings.well else "not everything held"
    lines = [f"{date}, commit {commit}, {findings.seconds:.0f} s, seed {findings.seed}: {word}.", ""]
    lines += [f"- {'ok' if holds else '**short**'}: {what}" for what, holds in findings.verdicts()]
    states = ", ".join(f"{what} {count}" for what, count in states_counted(findings.operations).items())
    return "\n".join([*lines, f"- operations in all: {states}"])


def page_with(page: str, text: str) -> str:
    """The page with `text` between its markers; they are added at the end where it has none."""
    section = f"{BEGIN}\n{text}\n{END}"
    before, begin, rest = page.partition(BEGIN)
    if not begin:
        return f"{page.rstrip()}\n\n{_HEADING}\n\n{section}\n".lstrip()
    return before + section + rest.partition(END)[2]
