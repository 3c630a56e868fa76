"""A child ends with its worker: when that ends, is killed, freezes, loses its lease, or the time is up."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from provisioning.drivers.child import child_run
from provisioning.drivers.memory_file import memory_file, memory_file_path
from tests.provisioning.drivers.processes import children_of, gone, left_open, nothing_more_open, parent_of, until

ROOT = Path(__file__).parents[3]
WORKER = """
import sys, threading
from provisioning.drivers.child import child_run
command = ["/bin/sh", "-c", "echo $$ > {pid}; exec sleep 60"]
run = lambda: child_run(command, environment={{}}, descriptors=[], seconds=60, silence={silence})
thread = threading.Thread(target=run)  # as in a worker's pool: not the main thread
thread.start()
thread.join()
"""


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Callable[[float], tuple[subprocess.Popen[bytes], int]]]:
    """Starts a worker with a child at work; gives the worker and the child's pid."""
    started: list[subprocess.Popen[bytes]] = []

    def start(silence: float) -> tuple[subprocess.Popen[bytes], int]:
        pid = tmp_path / "pid"
        script = WORKER.format(pid=pid, silence=silence)
        started.append(subprocess.Popen([sys.executable, "-c", script], cwd=ROOT))
        until(lambda: pid.exists() and pid.read_text().strip())
        return started[-1], int(pid.read_text())

    yield start
    for process in started:
        process.kill()
        process.wait()


def run(*command: str, **options):
    return child_run(command, **{"environment": {}, "descriptors": [], "seconds": 10, **options})


def test_a_child_dies_with_a_worker_that_is_killed(worker):
    process, child = worker(30.0)
    supervisor = parent_of(child)
    process.kill()
    until(lambda: gone(child) and gone(supervisor), 2)


def test_a_child_dies_when_its_worker_is_frozen_for_too_long(worker):
    process, child = worker(0.4)
    process.send_signal(signal.SIGSTOP)
    until(lambda: gone(child), 3)


def test_a_child_lives_on_while_its_worker_does(worker):
    process, child = worker(0.2)
    deadline = time.monotonic() + 0.8
    until(lambda: time.monotonic() > deadline)
    assert process.poll() is None
    assert not gone(child)


def test_a_child_dies_with_its_supervisor(worker):
    _, child = worker(30.0)
    os.kill(parent_of(child), signal.SIGKILL)
    until(lambda: gone(child), 2)


def test_a_worker_that_loses_its_lease_ends_its_child(tmp_path: Path):
    class LostLease(Exception):
        pass

    def lost() -> None:
        raise LostLease

    pid = tmp_path / "pid"
    with pytest.raises(LostLease):
        run("/bin/sh", "-c", f"echo $$ > {pid}; exec sleep 60", keep_alive=lost, silence=0.4)
    assert gone(int(pid.read_text()))


def test_a_child_may_end_in_order_at_its_deadline_and_is_killed_if_it_does_not():
    polite = run("/bin/sh", "-c", "trap 'echo tidied; exit 3' TERM; while :; do sleep 0.01; done", seconds=0.2)
    assert (polite.code, polite.output, polite.timed_out) == (3, b"tidied\n", True)
    started = time.monotonic()
    stubborn = run("/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.01; done", seconds=0.2)
    assert (stubborn.code, stubborn.timed_out) == (137, True)
    assert time.monotonic() - started < 5


def test_what_a_child_writes_and_how_it_ended_is_reported():
    finished = run("/bin/sh", "-c", "echo out; echo err >&2; exit 7")
    assert (finished.code, finished.output, finished.errors, finished.timed_out) == (7, b"out\n", "err\n", False)
    assert len(run("/bin/sh", "-c", "head -c 3000000 /dev/zero").output) == 3_000_000


def test_a_program_that_is_not_there_is_named():
    finished = run("/no/such/helm")
    assert finished.code == 127
    assert finished.errors == "/no/such/helm: No such file or directory\n"


def test_a_child_sees_nothing_of_the_workers_environment_and_files(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("DATABASE_URL", "secret")
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), False)
        finished = run("/bin/sh", "-c", "env; ls /proc/self/fd", environment={"ONLY": "this"})
    assert b"DATABASE_URL" not in finished.output
    assert b"ONLY=this" in finished.output
    assert len(finished.output.split(b"\n")) < 12


def test_no_descriptor_and_no_process_is_left_behind():
    run("/bin/true")
    before, children = left_open(), children_of(os.getpid())
    for _ in range(5):
        run("/bin/true")
    nothing_more_open(before)
    assert children_of(os.getpid()) == children


def test_a_memory_file_is_private_and_lies_in_no_folder():
    with memory_file("secret") as file:
        finished = run("/bin/sh", "-c", f"stat -L -c %a {memory_file_path(file)}; cat {memory_file_path(file)}",
                       descriptors=[file])  # fmt: skip
        assert finished.output == b"600\nsecret"
        assert "memfd" in Path(memory_file_path(file)).readlink().name
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file)


def test_a_program_is_found_on_the_path_by_its_name() -> None:
    finished = child_run(["true"], environment={"PATH": "/usr/bin:/bin"}, descriptors=[], seconds=10)
    assert (finished.code, finished.errors) == (0, "")
