"""Workers of a case: one that is killed at a place, and one that nobody disturbs.

A place is a failpoint that a worker passes, or a request of its helm.
"""

import os
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from clusters.models import Operation
from provisioning.failpoints import RECORD_VARIABLE, VARIABLE
from tests.fakes.cluster import Request
from tests.faults.crashes.scenarios import Scenario
from tests.faults.crashes.stage import Stage

HELM = "helm's request"
"""The name of the places inside a running helm: each of its requests that would change something."""


@dataclass(frozen=True)
class Place:
    """The n-th passage of a failpoint, or the n-th request of helm. `step`: the key of the step in which it was."""

    name: str
    number: int
    step: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.name}:{self.number}"


def recorded(record: str) -> Iterator[Place]:
    """The places from a record of passages. What a thread passes tells no step: it is that of the passage before."""
    seen: Counter[str] = Counter()
    step = ""
    for line in record.splitlines():
        name, _, told = line.partition(" ")
        step = told or step
        seen[name] += 1
        yield Place(name, seen[name], step)


@dataclass(frozen=True)
class Killed:
    """How a worker ended that was to be killed. `passed`: all places it came by, the last one is where it was killed.

    `there`: False where it came to the operation's end without passing the place, as it had to wait less often.
    """

    there: bool
    passed: tuple[Place, ...]


def worker_killed(stage: Stage, operation_id: UUID, place: Place, armed: str) -> Killed:
    """A worker that is killed there. AssertionError where it ended in another way."""
    kill = "" if place.name == HELM else f"{place.name}:kill:{place.number}"
    killer = _HelmKiller(place.number if place.name == HELM else 0)
    with tempfile.NamedTemporaryFile("r") as record, _hooked(stage, killer):
        environment = {RECORD_VARIABLE: record.name, VARIABLE: ",".join(filter(None, (armed, kill)))}
        work = stage.crew.work(operation_id, seconds=stage.seconds, environment=environment)
        killer.worker.set_result(work.pid)
        code = work.ended()
        passed = tuple(recorded(Path(record.name).read_text()))
    assert code in (0, -signal.SIGKILL), f"the worker was to be killed at {place} and ended with {code}"
    return Killed(there=code != 0, passed=passed)


def worker_finishes(stage: Stage, operation_id: UUID, scenario: Scenario) -> tuple[Place, ...]:
    """A worker that nobody disturbs; the places it passed, in their order."""
    requests: list[Request] = []
    with (
        tempfile.NamedTemporaryFile("r") as record,
        _hooked(stage, lambda request: requests.extend([request] * _is_helms(request))),
    ):
        environment = {RECORD_VARIABLE: record.name, VARIABLE: scenario.armed}
        code = stage.crew.work(operation_id, seconds=stage.seconds, environment=environment).ended()
        passed = tuple(recorded(Path(record.name).read_text()))
    ended = Operation.objects.get(pk=operation_id)
    assert (code, ended.state) == (0, scenario.ends), f"{code}, {ended.state}: {ended.message}"
    return (*passed, *(Place(HELM, number) for number in range(1, len(requests) + 1)))


class _HelmKiller:
    """Kills the worker when its helm is about to make this request, which never arrives."""

    def __init__(self, number: int) -> None:
        self.worker: Future[int] = Future()
        self._number = number
        self._seen = 0

    def __call__(self, request: Request) -> None:
        self._seen += _is_helms(request)
        if _is_helms(request) and self._seen == self._number:
            os.kill(self.worker.result(timeout=10), signal.SIGKILL)
            raise ConnectionResetError("its worker was killed")


def _is_helms(request: Request) -> bool:
    return request.agent.startswith("Helm")


@contextmanager
def _hooked(stage: Stage, hook: Callable[[Request], None]) -> Iterator[None]:
    """Sees each request that would change something on the stage's host, where that is a fake."""
    if stage.fake is None:
        yield
        return
    stage.fake.cluster.before.append(hook)
    try:
        yield
    finally:
        stage.fake.cluster.before.remove(hook)
