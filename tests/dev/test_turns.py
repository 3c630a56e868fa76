"""Who waits for whom, where tests run side by side."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from dev.waiting import wait_until
from tests.turns import turn


@pytest.fixture
def takes(tmp_path: Path) -> Callable[..., None]:
    """Has a turn, in a process's own files."""

    def take(*, alone: bool) -> None:
        with turn(tmp_path, alone=alone):
            return

    return take


def test_tests_run_side_by_side(takes: Callable[..., None], tmp_path: Path) -> None:
    with turn(tmp_path, alone=False), ThreadPoolExecutor() as others:
        others.submit(takes, alone=False).result(timeout=30)


def test_one_that_is_alone_waits_for_the_others_and_they_for_it(takes: Callable[..., None], tmp_path: Path) -> None:
    with ThreadPoolExecutor() as others, ExitStack() as at_work:
        at_work.enter_context(turn(tmp_path, alone=False))
        alone = others.submit(takes, alone=True)
        wait_until(lambda: waited_for(tmp_path / "next.lock"), seconds=30, what="it did not get in line")
        later = others.submit(takes, alone=False)
        assert not alone.done()
        assert not later.done()
        at_work.close()
        alone.result(timeout=30)
        later.result(timeout=30)


def test_nobody_begins_beside_one_that_is_alone(takes: Callable[..., None], tmp_path: Path) -> None:
    with ThreadPoolExecutor() as others, ExitStack() as at_work:
        at_work.enter_context(turn(tmp_path, alone=True))
        later = [others.submit(takes, alone=alone) for alone in (False, True)]
        wait_until(lambda: waited_for(tmp_path / "next.lock"), seconds=30, what="neither got in line")
        assert not any(each.done() for each in later)
        at_work.close()
        for each in later:
            each.result(timeout=30)


def waited_for(file: Path) -> bool:
    """Somebody holds its lock, as the kernel tells."""
    if not file.exists():
        return False
    inode = f":{file.stat().st_ino} "
    return any(inode in line for line in Path("/proc/locks").read_text().splitlines())
