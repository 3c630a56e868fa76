"""The library's door: start, stop and list local hosts."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from localkube.errors import LocalKubeError
from localkube.hostfolder import HostFolder
from localkube.tools import Tools

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")
_PACKAGE_PARENT = str(Path(__file__).parents[1])
_STARTS_WITHIN_SECONDS = 90.0
_STOPS_WITHIN_SECONDS = 20.0


@dataclass(frozen=True)
class LocalHost:
    """A host that runs. The kubeconfig (mode 0600) is its admin's: server, CA and token, all embedded."""

    name: str
    kubeconfig: Path
    server: str
    folder: Path


class LocalKube:
    """The local hosts of one folder. As a context manager it stops on leaving what it started.

    `tools` are needed to start hosts, not to list or stop them.
    """

    def __init__(self, *, folder: Path, tools: Tools | None = None) -> None:
        self.folder = folder.absolute()
        self._tools = tools
        self._supervisors: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for name in list(self._supervisors):
            self.stop(name)

    def start(self, name: str, *, bound: bool = True, audit: bool = False) -> LocalHost:
        """Starts the host and returns when it is ready (3-4 s); one that already runs is returned as it is.

        `bound`: it ends when this process ends, however that happens. `audit`: its API server writes audit.log.
        Raises LocalKubeError when it cannot start.
        """
        folder = self._host_folder(name)
        if folder.running_pid() is None:
            self._launch(folder, bound=bound, audit=audit)
        return self._await_ready(folder)

    def start_all(self, names: Iterable[str], *, bound: bool = True, audit: bool = False) -> list[LocalHost]:
        """Several at the same time; all or an error."""
        wanted = list(names)
        with ThreadPoolExecutor(max(1, len(wanted))) as pool:
            return list(pool.map(lambda name: self.start(name, bound=bound, audit=audit), wanted))

    def stop(self, name: str) -> None:
        """Ends the host and every process of it; its data stays for the next start. Does nothing if none runs."""
        folder = self._host_folder(name)
        if (pid := folder.running_pid()) is not None:
            _end(pid)
        if supervisor := self._supervisors.pop(name, None):
            supervisor.wait()

    def stop_all(self) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self.stop, [host.name for host in self.list()]))

    def list(self) -> "list[LocalHost]":
        """The hosts that run, by name."""
        folders = [HostFolder(path.parent) for path in sorted(self.folder.glob("*/lock"))]
        return [_described(folder) for folder in folders if folder.running_pid() is not None]

    def _host_folder(self, name: str) -> HostFolder:
        if not _NAME.fullmatch(name):
            raise LocalKubeError(
                f"{name!r} cannot name a host: use lower case letters, digits and inner hyphens, at most 40 of them."
            )
        return HostFolder(self.folder / name)

    def _launch(self, folder: HostFolder, *, bound: bool, audit: bool) -> None:
        if self._tools is None:
            raise LocalKubeError("Starting a host takes tools: give LocalKube what ensure_tools() returns.")
        folder.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        command = [sys.executable, "-m", "localkube", "supervise", folder.name, "--folder", str(self.folder)]
        command += ["--tools", _tools_as_text(self._tools)]
        command += ["--parent", str(os.getpid())] if bound else []
        command += ["--audit"] if audit else []
        search = os.pathsep.join(filter(None, [_PACKAGE_PARENT, os.environ.get("PYTHONPATH")]))
        with folder.supervisor_log.open("a") as log:
            supervisor = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=dict(os.environ) | {"PYTHONPATH": search},
                start_new_session=True,  # Ctrl-C reaches the one who started it, who stops it in order
            )
        self._supervisors[folder.name] = supervisor
        first, rest = _first_words(supervisor)
        if first == "ready":
            return
        self._supervisors.pop(folder.name).wait()
        if folder.running_pid() is None:  # otherwise somebody else started it at the same moment
            raise LocalKubeError(_why_not_started(folder, f"{first}\n{rest}".strip()))

    def _await_ready(self, folder: HostFolder) -> LocalHost:
        """Immediate for a host we launched; one that another process is starting takes a moment."""
        if not _wait(lambda: _is_ready(folder), _STARTS_WITHIN_SECONDS):
            raise LocalKubeError(f"Host {folder.name!r} is running but not ready: see {folder.supervisor_log}.")
        return _described(folder)


def _first_words(supervisor: subprocess.Popen[str]) -> tuple[str, str]:
    """The supervisor's first line, and for an error the lines after it."""
    if supervisor.stdout is None:
        return "", ""
    with supervisor.stdout as answer:
        first = answer.readline().strip()
        return first, answer.read().strip() if first.startswith("error:") else ""


def _is_ready(folder: HostFolder) -> bool:
    state = folder.read_state()
    return bool(state and state.ready and state.supervisor_pid == folder.running_pid())


def _described(folder: HostFolder) -> LocalHost:
    state = folder.read_state()
    return LocalHost(folder.name, folder.kubeconfig, state.server if state else "", folder.path)


def _wait(holds: Callable[[], bool], within_seconds: float) -> bool:
    deadline = time.monotonic() + within_seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _end(pid: int) -> None:
    """Returns when that process has ended. A pidfd cannot mean another process that got the same number."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with os.fdopen(process):
        signal.pidfd_send_signal(process, signal.SIGTERM)
        if not select.select([process], [], [], _STOPS_WITHIN_SECONDS)[0]:
            signal.pidfd_send_signal(process, signal.SIGKILL)  # the kernel takes its children with it
            select.select([process], [], [], _STOPS_WITHIN_SECONDS)


def _why_not_started(folder: HostFolder, said: str) -> str:
    if said.startswith("error: "):
        return said.removeprefix("error: ")
    return f"The supervisor of host {folder.name!r} ended without a word: see {folder.supervisor_log}."


def _tools_as_text(tools: Tools) -> str:
    return json.dumps(asdict(tools) | {"kube_apiservers": dict(tools.kube_apiservers)}, default=str)


def tools_from_text(text: str) -> Tools:
    """The other end of the supervisor's command line."""
    written = json.loads(text)
    servers = {version: Path(path) for version, path in written.pop("kube_apiservers").items()}
    return Tools(**{name: Path(path) for name, path in written.items()}, kube_apiservers=servers)
