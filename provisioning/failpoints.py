"""Places where a test can crash a worker: one right after every mutating driver call.

MARINA_FAILPOINT=<name>:<kill|raise|fail>[:<count>] arms one, or all of them by the name `any`; several are separated by
commas. At the <count>-th passage in this process (the first, unless said otherwise) the process is killed as by the
kernel, FailpointReached is raised, or the step fails for good. Unarmed, nothing happens.

MARINA_FAILPOINT_RECORD=<file> has a line for each passage appended to it: the name and, where one is known, the key of
the step that is being done. So a test learns where it can crash.
"""

import os
import signal
from collections import Counter
from collections.abc import Iterable
from threading import Lock
from typing import Final

import structlog

from provisioning.engine.errors import PermanentError

VARIABLE = "MARINA_FAILPOINT"
RECORD_VARIABLE = "MARINA_FAILPOINT_RECORD"
ANY = "any"
_ACTIONS: Final = ("kill", "raise", "fail")

_names: set[str] = set()
_lock = Lock()
_passed: Counter[str] = Counter()
_passed_for = ""


class FailpointReached(BaseException):
    """Raised at a failpoint armed with `raise`. It stands for a worker's end: what handles errors lets it pass."""


def failpoint_register(*names: str) -> None:
    """Called at import by the module in which the failpoints stand."""
    _names.update(names)


def failpoint_names() -> frozenset[str]:
    """Every failpoint of the modules imported so far."""
    return frozenset(_names)


def failpoint(name: str) -> None:
    """Crash here if a test wants it; otherwise do nothing. LookupError for a name that nobody registered."""
    if name not in _names:
        raise LookupError(f"Failpoint {name!r} is not registered; known are: {_listed(_names)}.")
    if record := os.environ.get(RECORD_VARIABLE):
        with open(record, "a") as file:  # noqa: PTH123 (a line that short is written whole)
            file.write(f"{name} {structlog.contextvars.get_contextvars().get('step', '')}\n")
    armed = os.environ.get(VARIABLE)
    if armed:
        _pass(name, armed)


def _pass(name: str, armed: str) -> None:
    global _passed_for
    due = []
    with _lock:
        if _passed_for != armed:
            _passed_for = armed
            _passed.clear()
    for each in armed.split(","):
        wanted, action, count = _parse(each)
        if wanted in (name, ANY) and _passage(each) == count:
            due.append(action)
    for action in sorted(due, key=_ACTIONS.index):
        _crash(name, action)


def _parse(armed: str) -> tuple[str, str, int]:
    name, action, count = [*armed.split(":"), "1"][:3] if ":" in armed else (armed, "", "1")
    if action not in _ACTIONS or not count.isdigit():
        raise ValueError(f"{VARIABLE}={armed}: expected <name>:<{'|'.join(_ACTIONS)}>[:<count>].")
    return name, action, int(count)


def _passage(armed: str) -> int:
    """Which passage this is since this very value was set."""
    with _lock:
        _passed[armed] += 1
        return _passed[armed]


def _crash(name: str, action: str) -> None:
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "fail":
        raise PermanentError(f"A test wants it to fail at {name}.", code="failpoint")
    raise FailpointReached(name)


def passages_forget() -> None:
    """Counting begins anew, for a test that arms the same value again in the same process."""
    with _lock:
        _passed.clear()


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
