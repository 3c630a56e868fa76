"""Makes .venv with everything Marina needs: `python3 dev/bootstrap.py`. Standard library only; make runs it first.

The stamp in .venv is written last and tells what the environment was made of, so an interrupted installation is
never taken for a whole one, and the next call has nothing to do but to compare it.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (an older one may be what runs this)
    sys.exit(
        "Marina needs Python 3.11 or newer; "
        f"{sys.executable} is {sys.version_info[0]}.{sys.version_info[1]}. Name another one with `make PYTHON=...`."
    )

import fcntl
import hashlib
import importlib.util
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from localkube.lifetime import dies_with_parent  # noqa: E402  (needs the path above; standard library only too)

REQUIREMENTS = ROOT / "requirements-dev.txt"
COMMANDS = ("marina", "kubectl-marina")
_TELL_EVERY_SECONDS = 20.0

# As pip writes it: works with any path to Python, also one with blanks or longer than a #! line may be.
_COMMAND = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import sys

from marina_cli.main import main

sys.exit(main())
"""


class BootstrapError(Exception):
    """Something the user can act on, as a whole sentence."""


def ensure_environment(root: Path = ROOT, requirements: Path = REQUIREMENTS) -> Path:
    """The environment's folder, made anew unless it is whole and made from just these requirements."""
    venv = root / ".venv"
    wanted = _stamp_text(root, requirements)
    if _stamp_of(venv) == wanted:
        return venv
    (root / ".marina").mkdir(exist_ok=True)
    with _locked(root / ".marina" / "bootstrap.lock"):
        if _stamp_of(venv) != wanted:  # else the one we waited for has made it
            _make(root, venv, requirements)
            (venv / "marina.stamp").write_text(wanted)
    return venv


def _stamp_text(root: Path, requirements: Path) -> str:
    """Of everything an environment depends on. A moved checkout counts: environments hold absolute paths."""
    content = hashlib.sha256(requirements.read_bytes() + Path(__file__).read_bytes()).hexdigest()
    return f"{content} python{sys.version_info.major}.{sys.version_info.minor} {root}\n"


def _stamp_of(venv: Path) -> str:
    try:
        return (venv / "marina.stamp").read_text()
    except OSError:
        return ""


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Another process is making .venv: waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(root: Path, venv: Path, requirements: Path) -> None:
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise BootstrapError(
                f"{sys.executable} cannot make virtual environments: its module {module} is missing. "
                "On Debian and Ubuntu it comes with the package python3-venv (apt install python3-venv)."
            )
    started = time.monotonic()
    count = sum(1 for line in requirements.read_text().splitlines() if "==" in line)
    _say(f"Installing {count} Python packages into .venv: about half a minute, once.")
    (venv / "marina.stamp").unlink(missing_ok=True)
    shutil.rmtree(venv, ignore_errors=True)
    _run([sys.executable, "-m", "venv", venv], "Making the virtual environment")
    python = venv / "bin" / "python"
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    # every package of the tree is listed with its hash, so nothing is resolved, built or run on the way
    exactly = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-compile"]
    _run([*pip, *exactly, "--requirement", requirements], "Installing the Python packages")
    _run([python, "-m", "compileall", "-qq", "-j", "0", venv / "lib"], "Compiling the Python packages", accept=(0, 1))
    _add_own_packages(root, venv)
    _say(f"Installed them in {time.monotonic() - started:.0f} s.")


def _add_own_packages(root: Path, venv: Path) -> None:
    """The checkout and the command line package, as an editable installation would, but without network."""
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "marina.pth").write_text(f"{root}\n{root / 'cli'}\n")
    for name in COMMANDS:
        command = venv / "bin" / name
        command.write_text(_COMMAND.format(python=venv / "bin" / "python"))
        command.chmod(0o755)


def _run(command: Sequence[str | Path], what: str, accept: Sequence[int] = (0,)) -> None:
    """Raises BootstrapError with the end of the command's output; says from time to time that it is still at it."""
    started = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=dies_with_parent()
    ) as child:
        while True:
            try:
                output, _ = child.communicate(timeout=_TELL_EVERY_SECONDS)
                break
            except subprocess.TimeoutExpired:
                _say(f"  {what}: still at it ({time.monotonic() - started:.0f} s)")
    if child.returncode not in accept:
        tail = "\n".join(output.splitlines()[-15:])
        raise BootstrapError(f"{what} failed (exit code {child.returncode}):\n{tail}\n{_hint(output)}")


def _hint(output: str) -> str:
    if "THESE PACKAGES DO NOT MATCH THE HASHES" in output:
        return "Hint: the package index gave other files than Marina was tested with; ask another index or mirror."
    if "No matching distribution" in output and "Connection" not in output:
        return "Hint: the package index has no ready-made package for this machine; Marina is tested on Linux x86-64."
    return "Hint: pip needs a package index (PIP_INDEX_URL names one); check network, proxy and free disk space."


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    """Exit code 0 with a whole environment, 1 with a sentence."""
    try:
        ensure_environment()
    except BootstrapError as error:
        print(f"bootstrap: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"bootstrap: {error.filename or 'the environment'}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bootstrap: interrupted; the next call starts over.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
