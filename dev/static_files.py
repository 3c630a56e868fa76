"""The pages' static files, collected once for each state of the requirements and of our own files: it takes seconds."""

import fcntl
import hashlib

from dev.settings_names import ROOT
from dev.stack import Stack

_STAMP = ROOT / ".marina" / "static.stamp"


def collect_static(stack: Stack) -> None:
    """Collects them into .marina/static unless they are there."""
    wanted = _wanted()
    _STAMP.parent.mkdir(exist_ok=True)
    with _STAMP.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a demo and a test run may start at the same time
        if _STAMP.exists() and _STAMP.read_text() == wanted:
            return
        stack.manage("collectstatic", "--no-input", "--clear")
        _STAMP.write_text(wanted)


def _wanted() -> str:
    found = hashlib.sha256((ROOT / "requirements.txt").read_bytes())
    for file in sorted(ROOT.glob("*/static/**/*")):
        if file.is_file():
            found.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    return found.hexdigest()
