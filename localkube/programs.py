"""The running programs of a host, and the state file that tells of them."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace

from localkube.children import Child, cut_log
from localkube.commands import Command
from localkube.hostfolder import HostFolder, HostState

_LOOK_AT_LOGS_EVERY_SECONDS = 15.0


class Programs:
    """Starts them, says when one ends on its own, and stops them in order."""

    def __init__(self, folder: HostFolder, state: HostState, on_unexpected_end: Callable[[str], None]) -> None:
        self._folder = folder
        self._state = state
        self._on_unexpected_end = on_unexpected_end
        self._children: list[Child] = []
        self._virtual: Mapping[str, int] = {}
        self._watches: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._write()

    def start(self, name: str, command: Command) -> None:
        child = Child(name, command, self._folder.logs / f"{name}.log")
        self._children.append(child)
        self._watches.add(asyncio.create_task(self._watch(child)))
        self._write()

    def note_virtual(self, children: Mapping[str, int]) -> None:
        """The programs of virtual clusters, which others start and stop."""
        self._virtual = children
        self._write()

    def note_ready(self) -> None:
        self._state = replace(self._state, ready=True)
        self._write()

    async def stop(self) -> None:
        """Etcd last: an API server whose etcd is gone hangs for a minute and holds its port."""
        self._stopping = True
        etcd = [child for child in self._children if child.name == "etcd"]
        await asyncio.gather(*(child.stop() for child in self._children if child not in etcd))
        await asyncio.gather(*(child.stop() for child in etcd))
        self._state = replace(self._state, ready=False)
        self._write()

    async def keep_logs_short(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_AT_LOGS_EVERY_SECONDS)
            for log in self._folder.logs.rglob("*.log"):
                with contextlib.suppress(FileNotFoundError):
                    cut_log(log)

    async def _watch(self, child: Child) -> None:
        code = await child.ended()
        if not self._stopping:
            host = self._folder.name
            self._on_unexpected_end(f"{child.name} of host {host!r} ended with code {code}: {child.last_words()}")

    def _write(self) -> None:
        own = {child.name: child.pid for child in self._children if child.running}
        self._state = replace(self._state, children={**own, **self._virtual})
        self._folder.write_state(self._state)
