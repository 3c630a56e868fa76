"""`make soak`: a whole Marina at work for half an hour while its processes are killed, and whether all held.

The last result stands in docs/reliability.md.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom

import psycopg

from dev.backing import Backing, backing_of
from dev.demo_hosts import LOCAL_CHART, DemoHost, local_hosts
from dev.demo_journey import Journey
from dev.demo_people import DemoPeople, demo_people_make
from dev.errors import DevError
from dev.processes import Processes
from dev.progress import Progress
from dev.settings_names import ROOT
from dev.soak_figures import (
    FULL_SECONDS,
    Ended,
    Findings,
    left_over,
    memory_of,
    page_with,
    summary,
    targets_for,
)
from dev.soak_hosts import SoakHost
from dev.soak_kills import STEADY, Killer, MemoryWatch, kills_planned
from dev.soak_traffic import PATIENCE_SECONDS, Developer, Traffic
from dev.stack import Stack, StackPlan
from dev.static_files import collect_static
from dev.terminal import Terminal
from localkube import LocalKube, LocalKubeError, Tools, ensure_tools
from localkube.ports import free_ports

FOLDER = ROOT / ".marina" / "soak"
PAGE = ROOT / "docs" / "reliability.md"
LANES = 7
SPARE_KILLS = 1.1
"""So many more are planned than are wanted."""
_LOOK_EVERY_SECONDS = 0.2
_SAMPLE_EVERY_SECONDS = 5.0
_TELL_EVERY_SECONDS = 60.0
SETTINGS = {
    "CHART_FOLDER": str(LOCAL_CHART),
    "LEASE_SECONDS": "6",
    "HEARTBEAT_SECONDS": "1.5",
    "UNCLAIMED_SECONDS": "6",
    "RETRY_BASE_SECONDS": "0.2",
    "RETRY_CAP_SECONDS": "5",
    "PROBE_SECONDS": "10",
    "SURVEY_SECONDS": "30",
    "LOG_FORMAT": "json",
}
_UNFINISHED = """
SELECT kind || ' ' || id || ' ' || state || ': ' || message FROM clusters_operation WHERE finished_at IS NULL
"""


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    seconds: float
    seed: int
    tests: bool
    page: Path


class Soak:
    """One run, from the first process to the last."""

    def __init__(self, options: Options, progress: Progress) -> None:
        self._options = options
        self._progress = progress
        self._processes = Processes(FOLDER / "logs")
        self._closing = ExitStack()
        self._told = 0
        """How many of the troubles were told."""

    def run(self) -> Findings:
        """Raises DevError or LocalKubeError where it could not even begin."""
        with self._closing:
            tools = ensure_tools(self._progress.say)
            kube = LocalKube(folder=FOLDER / "hosts", tools=tools)
            self._closing.callback(kube.stop_all)
            found = local_hosts(kube)
            backing = self._backing()
            stack = self._stack(backing, tools)
            people = demo_people_make(stack)
            hosts = self._connect(stack, people, found, tools)
            self._progress.say(f"Hosts are connected; the soak begins, seed {self._options.seed}.")
            return self._soak(stack, people, hosts, backing)

    def _backing(self) -> Backing:
        """Of its own, whatever is configured: they are killed."""
        backing = backing_of(folder=FOLDER, processes=self._processes, database="marina", configured={})
        self._closing.callback(backing.remove_sockets)
        self._closing.callback(self._processes.stop_all)
        backing.start()
        return backing

    def _stack(self, backing: Backing, tools: Tools) -> Stack:
        """Three workers of operations: two to be killed and one to be watched."""
        if backing.postgres:
            backing.postgres.ensure_database("marina")
        plan = StackPlan(
            folder=FOLDER,
            database_url=backing.application_url,
            owner_url=backing.database_url,
            broker_url=backing.broker_url,
            port=free_ports(1)[0],
            helm=tools.helm,
            settings=SETTINGS,
        )
        stack = Stack(plan, self._processes)
        collect_static(stack)
        stack.migrate()
        stack.start_web()
        stack.start_gateway()
        for name in (STEADY, "worker-mortal-1", "worker-mortal-2"):
            self._processes.start(stack.worker_program(name))
        stack.start_probes()
        stack.wait_until_ready()
        return stack

    def _connect(self, stack: Stack, people: DemoPeople, found: Sequence[DemoHost], tools: Tools) -> list[SoakHost]:
        programs = [Path(sys.executable).parent, tools.kubectl.parent, tools.helm.parent]
        terminal = Terminal(FOLDER, programs, self._progress)
        journey = Journey(stack, people, found, terminal, tools.kubectl)
        journey.connect_hosts(agreed=True)
        return [SoakHost(host.name, host.kubeconfig, tools.kubectl) for host in found]

    def _soak(self, stack: Stack, people: DemoPeople, hosts: Sequence[SoakHost], backing: Backing) -> Findings:
        seconds, seed = self._options.seconds, self._options.seed
        targets = targets_for(seconds)
        before = {host.name: host.inventory() for host in hosts}
        traffic = Traffic(
            lambda: Developer(stack.url, people.developer),
            lambda: Developer(stack.url, people.admin),
            project=people.project,
            hosts=[host.name for host in hosts],
            seed=seed,
        )
        plan = kills_planned(count=int(targets.kills * SPARE_KILLS) + 1, seconds=seconds, seed=seed)
        killer = Killer(self._processes, plan, start_broker=backing.valkey.start if backing.valkey else stack.migrate)
        watch = MemoryWatch({name: self._processes.pids[name] for name in (STEADY,)})
        traffic.start(LANES)
        self._work(traffic, killer, watch)
        operations, unfinished, slots = _at_the_end(stack)
        return Findings(
            seconds=seconds,
            seed=seed,
            targets=targets,
            pairs=traffic.pairs,
            kills=killer.kills,
            most_alive=traffic.most_alive,
            operations=operations,
            stuck=unfinished,
            slots_held=slots,
            left=left_over(before, {host.name: host.inventory() for host in hosts}),
            memory={name: memory_of(samples) for name, samples in watch.samples.items()},
            trouble=traffic.trouble,
        )

    def _work(self, traffic: Traffic, killer: Killer, watch: MemoryWatch) -> None:
        """Until time is up and the last lane has ended, or is stuck."""
        begun = time.monotonic()
        next_sample, next_line = 0.0, _TELL_EVERY_SECONDS
        while (now := time.monotonic() - begun) < self._options.seconds + PATIENCE_SECONDS:
            if now >= self._options.seconds:
                traffic.stop()
                if not traffic.running:
                    break
            else:
                killer.kill_due(now)
            self._processes.require_running()
            if now >= next_sample:
                watch.look(now)
                next_sample = now + _SAMPLE_EVERY_SECONDS
            if now >= next_line:
                self._tell(traffic, killer, watch)
                next_line += _TELL_EVERY_SECONDS
            time.sleep(_LOOK_EVERY_SECONDS)

    def _tell(self, traffic: Traffic, killer: Killer, watch: MemoryWatch) -> None:
        memory = watch.samples[STEADY][-1].bytes / 1024 / 1024
        self._progress.say(
            f"{traffic.pairs} pairs, {traffic.alive} alive, {killer.kills.total()} kills, "
            f"{len(traffic.trouble)} troubles, {STEADY} {memory:.0f} MiB"
        )
        for sentence in traffic.trouble[self._told :]:
            self._progress.say(f"Trouble: {sentence}")
            self._told += 1


def _at_the_end(stack: Stack) -> tuple[list[Ended], list[str], int]:
    """The operations that ended, those that did not, and how many slots are held, as the database has it."""
    with psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True) as connection:
        ended = connection.execute("SELECT kind, state, message FROM clusters_operation WHERE finished_at IS NOT NULL")
        operations = [Ended(*row) for row in ended.fetchall()]
        unfinished = [str(row[0]) for row in connection.execute(_UNFINISHED).fetchall()]
        held = connection.execute("SELECT count(*) FROM clusters_hostslot WHERE operation_id IS NOT NULL").fetchone()
    return operations, unfinished, held[0] if held else 0


LONG_TESTS = ("tests/faults", "tests/accounts/test_document_fuzzed.py")


def long_tests(progress: Progress) -> str:
    """Runs what tests of faults, and those of the API's document, leave out elsewhere; pytest's last line."""
    log = FOLDER / "tests.log"
    progress.say(f"The long variants of tests run; their log is {log}.")
    command = [sys.executable, "-m", "pytest", *LONG_TESTS, "-q", "-n", "2", "--dist", "loadscope"]
    with log.open("w") as output:
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, "MARINA_SOAK": "1"}, stdout=output, stderr=output, check=False
        )
    lines = log.read_text().strip().splitlines() or [f"ended with {done.returncode} and said nothing"]
    last = lines[-1].strip("= ")
    return last if done.returncode == 0 else f"failed: {last}"


def commit() -> str:
    """The short name of what is checked out here."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def _options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=FULL_SECONDS, help="how long people and kills go on")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6), help="of all that is random")
    parser.add_argument("--no-tests", dest="tests", action="store_false", help="without the long variants of tests")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the result is written")
    return Options(**vars(parser.parse_args(arguments)))


def main(arguments: Sequence[str] | None = None) -> int:
    """0 only where everything held; 1 with what did not; 130 where it was interrupted."""
    options, progress, tested = _options(arguments), Progress(), commit()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    shutil.rmtree(FOLDER, ignore_errors=True)
    try:
        findings = Soak(options, progress).run()
        _write(findings, options, tested, progress)  # the tests take longer than this, and may be interrupted
        if options.tests:
            findings = findings.with_tests(long_tests(progress))
            _write(findings, options, tested, progress)
    except (DevError, LocalKubeError) as error:
        print(f"\nsoak: {error}\nLogs of every process: {FOLDER / 'logs'}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        progress.plain("\nStopped: every process of the soak has ended.")
        return 130
    return 0 if findings.well else 1


def _write(findings: Findings, options: Options, tested: str, progress: Progress) -> None:
    text = summary(findings, date=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", commit=tested)
    progress.plain(f"\n{text}")
    before = options.page.read_text() if options.page.exists() else "# Reliability\n"
    options.page.write_text(page_with(before, text))


if __name__ == "__main__":
    sys.exit(main())
