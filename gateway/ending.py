"""Requests that are broken off because whose they are may not go on."""

import asyncio

from gateway.doorman import Admission


class AccessEnded(Exception):
    """The caller may not go on."""


class ended_with:  # noqa: N801 - used as a context manager
    """What is done in it is broken off with AccessEnded when its caller may not go on."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._task = asyncio.current_task()
        self._over = False

    def __enter__(self) -> None:
        self._admission.on_end(self._end)

    def _end(self) -> None:
        if self._task is not None and not self._over:
            self._over = True
            self._task.cancel()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._admission.over(self._end)
        if self._over and self._task is not None and self._task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise AccessEnded from None
