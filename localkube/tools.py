"""Where the Kubernetes programs come from: the tools folder, PATH, or one build from source.

Standard library only: `make demo` asks for the tools before anything else is installed.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from localkube.errors import LocalKubeError

Report = Callable[[str], None]
Version = tuple[int, ...]

HOST_VERSION = "1.36.3"
"""The Kubernetes version of local hosts."""
OLDER_VERSION = "1.35.4"
"""The second version a virtual cluster can have, so that an upgrade is a real one."""

_KUBERNETES = "k8s.io/kubernetes/cmd/"


@dataclass(frozen=True)
class Tool:
    """One program: how it is built, how it tells its version, and which versions will do."""

    name: str
    module: str
    package: str
    version_args: tuple[str, ...]
    fits: Callable[[Version], bool]
    on_path_as: str


@dataclass(frozen=True)
class Tools:
    """Absolute paths of programs that were found to run and to have a fitting version."""

    kubectl: Path
    helm: Path
    etcd: Path
    kube_scheduler: Path
    kube_controller_manager: Path
    kwok: Path
    toxiproxy: Path
    """Puts faults between a client and a server; no host needs it, tests do."""
    versitygw: Path
    """An S3 server over a folder; no host needs it, tests do."""
    kube_apiservers: Mapping[str, Path]
    """By exact version ("1.36.3"), since image tags name a patch release."""


def _exactly(version: str) -> Callable[[Version], bool]:
    wanted = tuple(int(part) for part in version.split("."))
    return lambda found: found == wanted


def _minors(*accepted: Version) -> Callable[[Version], bool]:
    return lambda found: found[:2] in accepted


def _apiserver(version: str, module: str) -> Tool:
    package = _KUBERNETES + "kube-apiserver"
    return Tool(f"kube-apiserver-{version}", module, package, ("--version",), _exactly(version), "kube-apiserver")


def _tool(name: str, module: str, package: str, version: tuple[str, ...], fits: Callable[[Version], bool]) -> Tool:
    return Tool(name, module, package, version, fits, name)


_AN_ETCD = "go.etcd.io/etcd/server/v3"
_TOXIPROXY = "github.com/Shopify/toxiproxy/v2/cmd/server"
_VERSITYGW = "github.com/versity/versitygw/cmd/versitygw"
_FLAG = ("--version",)

TOOLS = (
    _tool("kubectl", "v1.36", _KUBERNETES + "kubectl", ("version", "--client"), _minors((1, 35), (1, 36), (1, 37))),
    _tool("helm", "v1.36", "helm.sh/helm/v4/cmd/helm", ("version", "--short"), lambda found: found[0] == 4),
    # 3.4 has no progress notification, without which watches grow stale.
    _tool("etcd", "v1.36", _AN_ETCD, _FLAG, lambda found: (3, 6) <= found[:2] < (4, 0)),
    _tool("kwok", "v1.36", "sigs.k8s.io/kwok/cmd/kwok", _FLAG, _minors((0, 8))),
    _tool("kube-scheduler", "v1.36", _KUBERNETES + "kube-scheduler", _FLAG, _minors((1, 35), (1, 36))),
    # Serves API servers of both versions: it may be one minor older than its API server, never newer.
    _tool("kube-controller-manager", "v1.35", _KUBERNETES + "kube-controller-manager", _FLAG, _minors((1, 35))),
    _apiserver(HOST_VERSION, "v1.36"),
    _apiserver(OLDER_VERSION, "v1.35"),
    Tool("toxiproxy", "toxiproxy", _TOXIPROXY, ("-version",), _exactly("2.5.0"), "toxiproxy-server"),
    _tool("versitygw", "versitygw", _VERSITYGW, _FLAG, _minors((1, 8))),
)


def tools_folder() -> Path:
    """MARINA_TOOLS, else `marina/tools` in the user's cache folder."""
    if named := os.environ.get("MARINA_TOOLS"):
        return Path(named).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache).absolute() / "marina" / "tools"


def ensure_tools(report: Report) -> Tools:
    """Every tool, looked for in the tools folder, then on PATH; what is missing is built once, in minutes.

    Raises LocalKubeError when a build fails. Two callers never build at the same time.
    """
    folder = tools_folder()
    found = _look(folder)
    if missing := [tool for tool in TOOLS if tool.name not in found]:
        from localkube.toolbuild import build  # only needed once in a machine's life

        build(missing, folder, report, still_missing=lambda: _missing_from(_look(folder)))
        found = _look(folder)
        if left := _missing_from(found):
            names = ", ".join(tool.name for tool in left)
            raise LocalKubeError(f"Built {names} into {folder / 'bin'}, but they do not run or tell another version.")
    return _as_tools(found)


def _missing_from(found: Mapping[str, Path]) -> list[Tool]:
    return [tool for tool in TOOLS if tool.name not in found]


def _look(folder: Path) -> dict[str, Path]:
    """Asking ten programs for their version takes 0.1-0.3 s together, so they are asked at the same time."""
    with ThreadPoolExecutor(len(TOOLS)) as pool:
        paths = pool.map(lambda tool: _find(tool, folder / "bin"), TOOLS)
        return {tool.name: path for tool, path in zip(TOOLS, paths, strict=True) if path}


def _find(tool: Tool, bin_folder: Path) -> Path | None:
    on_path = shutil.which(tool.on_path_as)
    for candidate in (bin_folder / tool.name, Path(on_path) if on_path else None):
        if candidate and candidate.is_file() and _has_fitting_version(tool, candidate):
            return candidate.absolute()
    return None


def _has_fitting_version(tool: Tool, program: Path) -> bool:
    version = version_of(program, tool.version_args)
    return version is not None and tool.fits(version)


def version_of(program: Path, args: tuple[str, ...]) -> Version | None:
    """The first x.y.z a program prints about itself; None when it does not run or prints none."""
    try:
        done = subprocess.run([program, *args], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"(?<![\d.])(\d+)\.(\d+)\.(\d+)", done.stdout) if done.returncode == 0 else None
    return tuple(int(part) for part in match.groups()) if match else None


def _as_tools(found: Mapping[str, Path]) -> Tools:
    return Tools(
        kubectl=found["kubectl"],
        helm=found["helm"],
        etcd=found["etcd"],
        kube_scheduler=found["kube-scheduler"],
        kube_controller_manager=found["kube-controller-manager"],
        kwok=found["kwok"],
        toxiproxy=found["toxiproxy"],
        versitygw=found["versitygw"],
        kube_apiservers={version: found[f"kube-apiserver-{version}"] for version in (HOST_VERSION, OLDER_VERSION)},
    )
