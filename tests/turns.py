"""Tests of `make test` run side by side; one marked `alone` has the machine to itself, as it measures seconds."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_FOLDER = "turns"
"""Its key in what xdist hands to each process of the run."""


@contextmanager
def turn(folder: Path, *, alone: bool) -> Iterator[None]:
    """Waits until nobody in another process is alone, or for `alone` until nobody there has a turn at all.

    `folder`: one for all processes of a run. Who waits to be alone keeps others from beginning, so it waits for no more
    than what they are at.
    """
    with (folder / "turns.lock").open("w") as held:
        with (folder / "next.lock").open("w") as first:
            fcntl.flock(first, fcntl.LOCK_EX)
            fcntl.flock(held, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


class Turns:
    """Of a process that shares the machine with others of the same run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """The test with its fixtures; its timeout begins after the wait."""
        with turn(self._folder, alone=item.get_closest_marker("alone") is not None):
            return (yield)


def turns_offer(workerinput: dict[str, object], folder: Path) -> None:
    """By the process that starts another."""
    workerinput[_FOLDER] = str(folder)


def turns_take(config: pytest.Config) -> None:
    """By the process that was started; nothing where a run has one process."""
    if folder := getattr(config, "workerinput", {}).get(_FOLDER):
        config.pluginmanager.register(Turns(Path(folder)))
