"""Places where a test can crash a worker: one right after every mutating driver call.

MARINA_FAILPOINT=<name>:<kill|raise>[:<count>] arms one, or all of them by the name `any`. At the <count>-th passage in
this process (the first, unless said otherwise) the process is killed as by the kernel, or FailpointReached is raised.
Unarmed, nothing happens.

MARINA_FAILPOINT_RECORD=<file> has the name of each passage appended to it, so that a test learns where it can crash.
"""

import os
import signal
from collections.abc import Iterable
from threading import Lock

VARIABLE = "MARINA_FAILPOINT"
RECORD_VARIABLE = "MARINA_FAILPOINT_RECORD"
ANY = "any"

_names: set[str] = set()
_lock = Lock()
_passed = 0
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
            file.write(f"{name}\n")
    armed = os.environ.get(VARIABLE)
    if armed:
        _pass(name, armed)


def _pass(name: str, armed: str) -> None:
    wanted, action, count = _parse(armed)
    if wanted in (name, ANY) and _passage(armed) == count:
        _crash(name, action)


def _parse(armed: str) -> tuple[str, str, int]:
    name, action, count = [*armed.split(":"), "1"][:3] if ":" in armed else (armed, "", "1")
    if action not in ("kill", "raise") or not count.isdigit():
        raise ValueError(f"{VARIABLE}={armed}: expected <name>:<kill|raise>[:<count>].")
    return name, action, int(count)


def _passage(armed: str) -> int:
    """Which passage this is since this very value was set."""
    global _passed, _passed_for
    with _lock:
        if _passed_for != armed:
            _passed, _passed_for = 0, armed
        _passed += 1
        return _passed


def _crash(name: str, action: str) -> None:
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise FailpointReached(name)


def passages_forget() -> None:
    """Counting begins anew, for a test that arms the same value again in the same process."""
    global _passed_for
    with _lock:
        _passed_for = ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
