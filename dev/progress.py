"""What a command says while it works: a line for each long step, with the time since the start."""

import sys
import threading
import time


class Progress:
    """Lines on stdout, each written at once and whole, from any thread."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started

    def say(self, line: str) -> None:
        """A step's line."""
        self.plain(f"[{self.seconds:5.1f} s] {line}")

    def plain(self, text: str = "") -> None:
        """Text as it is."""
        with self._lock:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
