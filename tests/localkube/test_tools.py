"""Finding and building tools. The builds here end at a compiler of our own making: a real one takes minutes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from localkube import LocalKubeError, Tools, ensure_tools
from localkube.tools import HOST_VERSION, OLDER_VERSION
from tests.localkube.driving import processes_of, wait_for

REPOSITORY = Path(__file__).parents[2]
SILENT = list[str]().append


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tools folder with nothing in it, and a PATH with nothing on it but a shell."""
    folder = tmp_path / "tools"
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "sleep"):
        (programs / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("MARINA_TOOLS", str(folder))
    monkeypatch.setenv("PATH", str(programs))
    return folder


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def compiler(build: str) -> str:
    """The script of a Go new enough to be taken, which builds like that."""
    return f'if [ "$1" = version ]; then echo "go version go1.26.8 linux/amd64"; else {build}; fi'


def test_both_kubernetes_versions_are_there(tools: Tools) -> None:
    assert set(tools.kube_apiservers) == {HOST_VERSION, OLDER_VERSION}
    for version, path in tools.kube_apiservers.items():
        assert subprocess.check_output([path, "--version"], text=True) == f"Kubernetes v{version}\n"


def test_what_is_on_path_is_taken_if_its_version_fits(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_folder = tmp_path / "tools" / "bin"
    bin_folder.mkdir(parents=True)
    for path in (*vars(tools).values(), *tools.kube_apiservers.values()):
        if isinstance(path, Path) and path.name != "kubectl":
            (bin_folder / path.name).symlink_to(path)
    on_path = tmp_path / "path"
    on_path.mkdir()
    program(on_path / "kubectl", "echo 'Client Version: v1.35.9'")
    monkeypatch.setenv("MARINA_TOOLS", str(tmp_path / "tools"))
    monkeypatch.setenv("PATH", f"{on_path}:{os.environ['PATH']}")
    assert ensure_tools(SILENT).kubectl == on_path / "kubectl"


def test_a_failed_build_says_why_and_leaves_nothing_half_made(empty: Path) -> None:
    on_path = Path(os.environ["PATH"])
    program(on_path / "kubectl", "echo 'Client Version: v1.20.0'")  # too old to be taken
    program(on_path / "go", compiler('echo "write x: no space left"; exit 2'))
    with pytest.raises(LocalKubeError) as failed:
        ensure_tools(SILENT)
    assert "no space left" in str(failed.value)
    assert "MARINA_TOOLS" in str(failed.value)
    assert [path.name for path in empty.iterdir()] == ["build.lock"]


def test_after_a_killed_build_the_next_one_starts_clean(empty: Path) -> None:
    on_path = Path(os.environ["PATH"])
    program(on_path / "go", compiler("while true; do sleep 0.1; done"))
    command = [sys.executable, "-c", "from localkube import ensure_tools; ensure_tools(lambda s: print(s, flush=True))"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as building:
        assert building.stdout
        assert building.stdout.readline().startswith("Building ")
        wait_for("the compiler works", lambda: processes_of(empty.parent))
        building.kill()
    wait_for("it ended with its parent", lambda: not processes_of(empty.parent), within=5)
    assert not (empty / "bin").exists()
    (empty / "build").mkdir(exist_ok=True)
    (empty / "build" / "left-behind").touch()
    program(on_path / "go", compiler("exit 3"))
    with pytest.raises(LocalKubeError, match="exit code 3"):
        ensure_tools(SILENT)
    assert not (empty / "build").exists()
