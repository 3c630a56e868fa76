"""dev/bootstrap.py: the environment is whole or not there, and costs nothing when it is."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from dev.bootstrap import ROOT, BootstrapError, ensure_environment


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout that needs no package, so that making its environment takes no network. Each test leaves it whole."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "requirements-dev.txt").write_text("# nothing\n")
    return folder


def ensure(checkout: Path) -> Path:
    return ensure_environment(checkout, checkout / "requirements-dev.txt")


def test_it_makes_an_environment_with_the_marina_command_and_the_packages_of_the_checkout(checkout: Path) -> None:
    venv = ensure(checkout)
    for command in ("marina", "kubectl-marina"):
        assert (venv / "bin" / command).stat().st_mode & 0o111
    code = "import sys; print('\\n'.join(sys.path))"
    done = subprocess.run([venv / "bin" / "python", "-c", code], capture_output=True, text=True, check=True)
    # only folders that exist get on the path; this checkout has no cli folder
    assert str(checkout) in done.stdout.splitlines()


def test_the_second_call_changes_nothing(checkout: Path) -> None:
    mark = ensure(checkout) / "mark"
    mark.touch()
    started = time.monotonic()
    ensure(checkout)
    assert time.monotonic() - started < 0.5
    assert mark.exists()


def test_an_interrupted_installation_is_made_anew(checkout: Path) -> None:
    venv = ensure(checkout)
    (venv / "mark").touch()
    (venv / "marina.stamp").unlink()  # written last: this is what an interruption leaves
    ensure(checkout)
    assert not (venv / "mark").exists()


def test_other_requirements_make_it_anew(checkout: Path) -> None:
    mark = ensure(checkout) / "mark"
    mark.touch()
    (checkout / "requirements-dev.txt").write_text("# nothing else\n")
    ensure(checkout)
    assert not mark.exists()


def test_a_failed_installation_says_why_and_is_not_taken_for_a_whole_one(checkout: Path) -> None:
    requirements = checkout / "missing.txt"
    requirements.write_text(f"./missing-1.0-py3-none-any.whl --hash=sha256:{'0' * 64}\n")
    with pytest.raises(BootstrapError, match=r"Installing the Python packages failed(.|\n)*missing-1.0"):
        ensure_environment(checkout, requirements)
    assert not (checkout / ".venv" / "marina.stamp").exists()


def test_it_runs_with_nothing_but_the_standard_library() -> None:
    code = (
        "import dev.bootstrap, sys; print([name for name in sys.modules if 'site-packages' in str(sys.modules[name])])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
