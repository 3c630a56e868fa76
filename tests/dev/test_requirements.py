"""The pinned requirements are in step with the short lists they were compiled from."""

from pathlib import Path

import pytest

from dev.requirements import requirements_check

HASH = " \\\n    --hash=sha256:" + "0" * 64 + "\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project that is in step."""
    (tmp_path / "requirements.in").write_text("# why\nSome_Package[extra]~=2.0  # reason\n")
    (tmp_path / "requirements-dev.in").write_text("-r requirements.in\nother\n")
    (tmp_path / "requirements.txt").write_text(f"some-package==2.4{HASH}")
    (tmp_path / "requirements-dev.txt").write_text(f"other==1.0{HASH}some-package[extra]==2.4{HASH}")
    return tmp_path


def test_this_project_is_in_step() -> None:
    assert requirements_check() == []


def test_a_project_in_step_has_no_problem(root: Path) -> None:
    assert requirements_check(root) == []


def test_a_requirement_that_is_not_pinned_is_named(root: Path) -> None:
    (root / "requirements-dev.in").write_text("newcomer\n")
    assert requirements_check(root) == [
        "requirements-dev.in names newcomer, which requirements-dev.txt does not pin: run `make requirements`."
    ]


def test_a_pin_outside_of_what_is_allowed_is_named(root: Path) -> None:
    (root / "requirements.in").write_text("some-package<2\n")
    assert "requirements.txt pins some-package 2.4, but requirements.in says <2." in requirements_check(root)


def test_tests_must_run_with_the_versions_that_are_deployed(root: Path) -> None:
    (root / "requirements-dev.txt").write_text(f"other==1.0{HASH}some-package==2.5{HASH}")
    assert requirements_check(root) == ["requirements.txt pins some-package 2.4, requirements-dev.txt 2.5."]
