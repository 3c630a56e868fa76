"""The pages' static files, collected once for each set of requirements: it takes seconds and changes with them only."""

import hashlib

from dev.settings_names import ROOT
from dev.stack import Stack

_STAMP = ROOT / ".marina" / "static.stamp"


def collect_static(stack: Stack) -> None:
    """Collects them into .marina/static unless they are there."""
    wanted = hashlib.sha256((ROOT / "requirements.txt").read_bytes()).hexdigest()
    if _STAMP.exists() and _STAMP.read_text() == wanted:
        return
    stack.manage("collectstatic", "--no-input", "--clear")
    _STAMP.write_text(wanted)
