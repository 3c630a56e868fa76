"""What a local host keeps on disk: the files of one folder, its lock, and the state that others may read."""

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from localkube.pki import write_private


@dataclass(frozen=True)
class Ports:
    """All on 127.0.0.1."""

    etcd: int
    etcd_peer: int
    api: int
    kubelet: int
    """Where the API server looks for the node's kubelet: our gate."""
    kwok: int


@dataclass(frozen=True)
class HostState:
    """Written by the supervisor for `list`, for restarts (the same ports again) and for tests."""

    name: str
    ports: Ports
    supervisor_pid: int
    ready: bool = False
    children: Mapping[str, int] = field(default_factory=dict)
    """Process ids by name; those of virtual API servers too."""

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.ports.api}"


class HostFolder:
    """The paths below one host's folder, and what can be said of the host from outside its supervisor."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self.kubeconfig = path / "kubeconfig"
        self.audit_log = path / "audit.log"
        self.logs = path / "logs"
        self.pki = path / "pki"
        self.config = path / "config"
        self.etcd = path / "etcd"
        self.volumes = path / "volumes"
        self.supervisor_log = path / "logs" / "supervisor.log"
        self._state = path / "state.json"
        self._lock_file = path / "lock"

    def lock(self) -> IO[str] | None:
        """Takes the lock that says "this host has a supervisor"; None when another process has it.

        Hold the returned file for as long as the host runs: the kernel drops the lock with the process.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if lock := self._try_lock():
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
        return lock

    def running_pid(self) -> int | None:
        """The supervisor's process id while one runs."""
        if not self._lock_file.exists():
            return None
        if lock := self._try_lock():
            lock.close()
            return None
        written = self._lock_file.read_text()
        return int(written) if written else None  # locked this very moment: as good as not yet running

    def _try_lock(self) -> IO[str] | None:
        lock = self._lock_file.open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return None
        return lock

    def read_state(self) -> HostState | None:
        """The last state written, also of a host that no longer runs; None when it never ran."""
        try:
            written = json.loads(self._state.read_text())
        except FileNotFoundError:
            return None
        return HostState(**(written | {"ports": Ports(**written["ports"])}))

    def write_state(self, state: HostState) -> None:
        write_private(self._state, json.dumps(asdict(state), indent=1).encode())
