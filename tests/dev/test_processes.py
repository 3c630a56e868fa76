"""Processes of the demo and of the tests: their failures are explained, and none outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dev.errors import DevError
from dev.processes import Processes, Program
from dev.waiting import wait_until
from tests.dev.running import processes_of

PARENT = """
import sys, time
from pathlib import Path
from dev.backing import backing_of
from dev.processes import Processes, Program
folder = Path(sys.argv[1])
processes = Processes(folder / "logs")
backing = backing_of(folder=folder, processes=processes, database="marina", configured={})
backing.start()
processes.start(Program("sleeper", ["sleep", "600"], {"IN": str(folder)}, folder))
print("ready", flush=True)
time.sleep(600)
"""


def program(name: str, script: str, folder: Path) -> Program:
    return Program(name, ["/bin/sh", "-c", script], {"PATH": os.environ["PATH"]}, folder)


def test_nothing_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    assert parent.stdout.readline() == "ready\n"
    names = " ".join(processes_of(tmp_path).values())
    assert "postgres" in names
    assert "valkey" in names
    assert "sleep" in names
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not processes_of(tmp_path), seconds=10, what="Processes of a killed parent did not end")


def test_a_process_that_died_is_told_with_its_last_words(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    process = processes.start(program("broken", "echo 'no such chart' >&2; exit 3", tmp_path))
    wait_until(lambda: not process.running, seconds=5, what="It did not end")
    with pytest.raises(DevError, match=r"broken ended with exit code 3(.|\n)*\| no such chart"):
        processes.require_running()
    processes.stop_all()


def test_what_does_not_stop_when_asked_is_killed_after_its_grace(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    process = processes.start(program("deaf", "trap '' TERM; echo up; while :; do sleep 1; done", tmp_path))
    wait_until(lambda: "up" in process.log.read_text(), seconds=5, what="It did not start")
    started = time.monotonic()
    processes.stop("deaf", grace_seconds=0.5)
    assert not process.running
    assert time.monotonic() - started < 5


def test_stopping_by_name_leaves_the_others(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    for name in ("one", "two"):
        processes.start(program(name, "exec sleep 600", tmp_path))
    processes.stop("one")
    assert list(processes.pids) == ["two"]
    processes.stop()
    assert list(processes.pids) == ["two"]
    processes.stop_all()
    assert not processes.pids


def test_a_child_gets_no_other_environment_than_what_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARINA_TOKEN", "mar_12345678_of_the_caller")
    processes = Processes(tmp_path)
    process = processes.start(program("env", "env", tmp_path))
    wait_until(lambda: not process.running, seconds=5, what="It did not end")
    assert "MARINA_TOKEN" not in process.log.read_text()
    processes.stop_all()
