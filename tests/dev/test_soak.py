"""The parts of `make soak` that judge: a wrong verdict would be worse than none."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dev.processes import Processes, Program
from dev.settings_names import ROOT
from dev.soak_figures import (
    BEGIN,
    END,
    Ended,
    Findings,
    Sample,
    left_over,
    memory_of,
    page_with,
    states_counted,
    summary,
    targets_for,
)
from dev.soak_kills import FATES, kills_planned, resident_bytes

MIB = 1024 * 1024


def samples(*sizes: float) -> list[Sample]:
    """One every 10 s, in MiB."""
    return [Sample(10.0 * number, int(size * MIB)) for number, size in enumerate(sizes)]


def findings(**differently: object) -> Findings:
    """Of a run in which everything held."""
    well = {
        "seconds": 180.0,
        "seed": 7,
        "targets": targets_for(180),
        "pairs": 15,
        "kills": {"beat": 2, "worker": 4},
        "most_alive": 7,
        "operations": [Ended("provision", "Succeeded"), Ended("delete", "Succeeded")],
        "stuck": [],
        "slots_held": 0,
        "left": [],
        "memory": {"worker": memory_of(samples(*[100.0] * 12))},
    }
    return Findings(**{**well, **differently})  # type: ignore[arg-type]


def test_half_an_hour_has_to_reach_150_pairs_and_60_kills_and_a_shorter_run_its_part():
    assert (targets_for(1800).pairs, targets_for(1800).kills) == (150, 60)
    assert (targets_for(180).pairs, targets_for(180).kills) == (15, 6)
    assert (targets_for(1).pairs, targets_for(1).kills) == (1, 1)


def test_a_run_in_which_everything_held_says_so():
    assert findings().well
    assert "everything held" in summary(findings(), date="today", commit="abc")
    assert "provision Succeeded 1" in summary(findings(), date="today", commit="abc")


@pytest.mark.parametrize(
    "broken",
    [
        {"pairs": 14},
        {"kills": {"worker": 5}},
        {"most_alive": 9},
        {"operations": [Ended("delete", "Failed", "no")]},
        {"stuck": ["delete x Processing: waiting"]},
        {"slots_held": 1},
        {"left": ["east: Namespace -/marina-x"]},
        {"memory": {"worker": memory_of(samples(*range(100, 160, 5)))}},
        {"tests": "failed: 1 failed, 3 passed"},
        {"trouble": ["soak-1-1: TimeoutError"]},
    ],
    ids=lambda broken: next(iter(broken)),
)
def test_each_thing_that_does_not_hold_is_told_and_decides(broken: dict[str, object]):
    found = findings(**broken)
    assert not found.well
    assert [holds for _, holds in found.verdicts()].count(False) == 1
    assert "**short**" in summary(found, date="today", commit="abc")


def test_memory_that_grows_only_while_it_warms_up_is_flat():
    warm = memory_of(samples(60, 70, 80, 90, 100, 100, 100, 100, 101, 101, 100, 101))
    assert warm
    assert warm.flat
    leaking = memory_of(samples(*[100 + 3 * number for number in range(12)]))
    assert leaking
    assert not leaking.flat
    assert leaking.slope == pytest.approx(3 * 360 * MIB, rel=0.01)
    assert memory_of(samples(1, 2, 3)) is None


def test_what_is_new_on_a_host_is_left_over_and_what_went_is_not():
    before = {"east": {"Namespace -/default", "Pod x/y"}, "west": {"Namespace -/default"}}
    after = {"east": {"Namespace -/default", "Secret z/sh.helm.v1"}, "west": {"Namespace -/default"}}
    assert left_over(before, after) == ["east: Secret z/sh.helm.v1"]


def test_operations_are_counted_by_kind_and_state():
    ended = [Ended("delete", "Succeeded"), Ended("delete", "Succeeded"), Ended("delete", "Failed", "why")]
    assert states_counted(ended) == {"delete Failed": 1, "delete Succeeded": 2}


def test_the_page_keeps_what_stands_around_the_result():
    page = page_with("# Reliability\n\nBefore.\n", "first")
    assert page.startswith("# Reliability\n\nBefore.\n")
    again = page_with(page + "\nAfter.\n", "second")
    assert "first" not in again
    assert f"{BEGIN}\nsecond\n{END}" in again
    assert again.endswith("After.\n")


def test_a_seed_gives_the_same_kills_again_spread_over_the_time():
    plan = kills_planned(count=60, seconds=1800, seed=3)
    assert plan == kills_planned(count=60, seconds=1800, seed=3)
    assert plan != kills_planned(count=60, seconds=1800, seed=4)
    assert {kill.what for kill in plan} == set(FATES)
    assert [kill.at for kill in plan] == sorted(kill.at for kill in plan)
    assert plan[0].at < 600 < 1200 < plan[-1].at < 1800


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    processes = Processes(tmp_path)
    yield processes
    processes.stop_all()


def sleeper(command: Sequence[str] = ("sleep", "600")) -> Program:
    return Program("sleeper", command, {"PATH": "/usr/bin:/bin"}, ROOT)


def test_a_crashed_process_is_gone_and_can_be_started_again(processes: Processes):
    first = processes.start(sleeper())
    assert resident_bytes(first.pid) > 0
    program = processes.crash("sleeper")
    assert not first.running
    assert processes.pids == {}
    assert processes.start(program).running


def test_it_can_be_asked_what_it_takes():
    done = subprocess.run([sys.executable, "-m", "dev.soak", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    assert "--seconds" in done.stdout
