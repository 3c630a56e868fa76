"""Child processes of the supervisor: started so that they die with it, logged to a file, stopped within a deadline."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from localkube.lifetime import dies_with_parent

GARBAGE_PERCENT = "400"
"""How much Go's programs let their memory grow before they collect: a start costs a third less than with 100."""
LOG_LIMIT_BYTES = 8 * 1024 * 1024
_KEPT_OF_A_LOG_BYTES = 1024 * 1024


class Child:
    """One running program. Start it from the event loop's thread, which lives as long as the supervisor."""

    def __init__(
        self, name: str, command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:  # appending, so that cutting the file short works under a running child
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={"GOGC": GARBAGE_PERCENT, **os.environ, **(environment or {})},
                start_new_session=True,  # Ctrl-C in a terminal is for the supervisor, which stops them in order
                preexec_fn=dies_with_parent(),
            )
        self.pid = self._process.pid
        self._ended = asyncio.get_running_loop().create_future()
        self._pidfd = os.pidfd_open(self.pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._reap)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._ended.set_result(self._process.wait())

    @property
    def running(self) -> bool:
        return not self._ended.done()

    async def ended(self) -> int:
        """Waits for its end; the exit code, negative for a signal."""
        return int(await asyncio.shield(self._ended))

    async def kill(self) -> None:
        """SIGKILL, and waits until it is gone."""
        if self.running:
            self._process.send_signal(signal.SIGKILL)
        await self.ended()

    async def stop(self, grace_seconds: float = 5.0) -> None:
        """SIGTERM, then SIGKILL after `grace_seconds`; returns when it is gone."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_seconds):
                await self.ended()
        except TimeoutError:
            await self.kill()

    def last_words(self, lines: int = 5) -> str:
        """The end of its log, for an error message."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def cut_log(log: Path) -> None:
    """Keeps a log under LOG_LIMIT_BYTES: its end moves to NAME.old and the file starts again at nothing."""
    if log.stat().st_size <= LOG_LIMIT_BYTES:
        return
    with log.open("rb+") as file:
        file.seek(-_KEPT_OF_A_LOG_BYTES, os.SEEK_END)
        log.with_name(log.name + ".old").write_bytes(file.read())
        file.truncate(0)
