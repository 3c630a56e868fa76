"""The processes of a running Marina: each with a log of its own, and none that outlives the one that started it."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.errors import DevError
from localkube.lifetime import dies_with_parent

_LAST_LINES = 15


@dataclass(frozen=True)
class Program:
    """What to start. `environment` is all that it gets; `cwd` decides what relative paths mean."""

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str]
    cwd: Path
    become: Callable[[], None] | None = None
    """Runs in the new process before the program: to give up rights."""
    stop_signal: signal.Signals = signal.SIGTERM


class Process:
    """One running program, in a session of its own: Ctrl-C in a terminal reaches only the one that stops it in order.

    Start it from a thread that lives as long as it may run: the kernel ends it with that thread, even after SIGKILL.
    """

    def __init__(self, program: Program, log: Path) -> None:
        self.program = program
        self.name = program.name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self._popen = subprocess.Popen(
                program.command,
                cwd=program.cwd,
                env=dict(program.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_in_child(program.become),
            )
        self.pid = self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number for one that died of a signal."""
        return self._popen.poll()

    def require_running(self) -> None:
        """Raises DevError with how it ended and what it wrote last."""
        code = self._popen.poll()
        if code is not None:
            raise DevError(f"{self.name} ended {_how(code)}. The end of {self.log}:\n{self.last_words()}")

    def last_words(self) -> str:
        """The end of its log, indented, for an error message."""
        lines = self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        return "\n".join(f"  | {line}" for line in lines) or "  | (it wrote nothing)"

    def ask_to_stop(self) -> None:
        """Sends its stop signal, without waiting."""
        if self.running:
            self._popen.send_signal(self.program.stop_signal)

    def ended_by(self, deadline: float) -> None:
        """Waits for its end until `deadline` (monotonic seconds), then kills it and all it started."""
        try:
            self._popen.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.kill()

    def crash(self) -> None:
        """SIGKILL to it alone, as by the kernel; what it started has to notice by itself."""
        self._popen.kill()
        self._popen.wait()

    def kill(self) -> None:
        """SIGKILL to it and to what it started in its session, and waits for its end."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()


class Processes:
    """A group of them, which stops as it was started: last in, first out."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self._running: list[Process] = []

    def start(self, program: Program) -> Process:
        process = Process(program, self.logs / f"{program.name}.log")
        self._running.append(process)
        return process

    def require_running(self) -> None:
        """Raises DevError for the first that has died."""
        for process in self._running:
            process.require_running()

    def stop_all(self) -> None:
        """Stops what still runs."""
        self.stop(*self.pids)

    def stop(self, *names: str, grace_seconds: float = 10.0) -> None:
        """Stops those named: asks them at once, then kills what is left after `grace_seconds`."""
        chosen = [process for process in reversed(self._running) if process.name in names]
        deadline = time.monotonic() + grace_seconds
        for process in chosen:
            process.ask_to_stop()
        for process in chosen:
            process.ended_by(deadline)
            self._running.remove(process)

    def process(self, name: str) -> Process:
        """The one of that name."""
        (found,) = [process for process in self._running if process.name == name]
        return found

    def crash(self, name: str) -> Program:
        """SIGKILL to the one of that name, which is no longer of the group. What it was, to start it again."""
        (process,) = [each for each in self._running if each.name == name]
        process.crash()
        self._running.remove(process)
        return process.program

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        return {process.name: process.pid for process in self._running}


def _in_child(become: Callable[[], None] | None) -> Callable[[], None]:
    bind_to_parent = dies_with_parent()

    def prepare() -> None:
        if become:
            become()
        bind_to_parent()  # last: a change of user would make the kernel forget it

    return prepare


def _how(code: int) -> str:
    return f"with exit code {code}" if code >= 0 else f"by signal {signal.Signals(-code).name}"
